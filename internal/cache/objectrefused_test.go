package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"forebay/internal/cache"
	"forebay/internal/event"
	"forebay/internal/testkit"
)

// What Redis refuses at the last step, with whatever error, is served from memory, as it is when it is refused sooner.
func TestARefusedCommit(t *testing.T) {
	for name, cause := range map[string]error{
		"no memory":      errOOM,
		"no permission":  errors.New("NOPERM this user has no permissions to run the 'eval' command"),
		"a replica":      errors.New("READONLY You can't write against a read only replica."),
		"the stage gone": errors.New("the staged value was evicted or changed before it was stored"),
	} {
		t.Run(name, func(t *testing.T) {
			objectBubble(t, func(t *testing.T, f *objectFixture) {
				v := f.objects.put("x", "v1", large)
				f.staging.commit = func(context.Context, int) error { return fmt.Errorf("store: %w", cause) }
				if res := f.read("o:x")[0]; !bytes.Equal(res.Value, v) {
					t.Errorf("got %s (%v)", outcome(res), res.Err)
				}
				f.holds("o:x", nil)
				if fills := f.events.of(event.Fill); len(fills) != 1 || fills[0].Error == "" {
					t.Errorf("fills: %+v", fills)
				}
				if loads := f.events.of(event.Load); len(loads) != 2 {
					t.Errorf("%d loads, want the staged one and the one into memory", len(loads))
				}
			})
		})
	}
}

// The interleaving of flights.anew: a writer who waits for a commit that is then refused does not wait for the reading into memory, and those
// who came while it was sealed get what is read after.
func TestAFenceDoesNotWaitForWhatIsReadAfterARefusal(t *testing.T) {
	objectBubble(t, func(t *testing.T, f *objectFixture) {
		f.objects.put("x", "v1", large)
		commit, chunks := newGate("commit"), newGate("chunks")
		f.staging.commit = func(ctx context.Context, _ int) error {
			_ = commit.pass(ctx)
			f.objects.chunk = func(ctx context.Context, _ string, _ int64) error { return stopped(chunks.pass(ctx)) }
			return errOOM
		}
		first := f.start("o:x")
		commit.held(t, 1)
		v2 := f.objects.put("x", "v2", 2*large) // what the writer changed before its DEL
		fenced := background(func() { f.engine.Fence(0, []byte("o:x")) })
		late := f.start("o:x")
		if closed(fenced) || late.ended() {
			t.Fatal("the fence or a late reader did not wait for the commit")
		}
		commit.release()
		if !closed(fenced) {
			t.Error("the fence waits for the reading into memory")
		}
		chunks.release()
		for _, r := range []*reading{first, late} {
			if res := r.wait()[0]; !bytes.Equal(res.Value, v2) {
				t.Errorf("got %s (%v), want the new value", outcome(res), res.Err)
			}
		}
	})
}

// A write that comes while it is read into memory drops that reading, as any other: its readers get what the source holds after.
func TestAWriteAfterARefusal(t *testing.T) {
	objectBubble(t, func(t *testing.T, f *objectFixture) {
		f.objects.put("x", "v1", large)
		chunks := newGate("chunks")
		f.staging.commit = func(context.Context, int) error {
			f.objects.chunk = func(ctx context.Context, _ string, _ int64) error { return stopped(chunks.pass(ctx)) }
			return errOOM
		}
		first := f.start("o:x")
		chunks.held(t, 2) // the queries ahead
		v2 := f.objects.put("x", "v2", 2*large)
		if !closed(background(func() { f.engine.Fence(0, []byte("o:x")) })) {
			t.Fatal("the fence waits")
		}
		f.objects.chunk, f.staging.commit = nil, nil
		chunks.release()
		if got := outcome(first.wait()[0]); got != fmt.Sprint("stored ", 2*large) {
			t.Errorf("got %s", got)
		}
		f.holds("o:x", v2)
	})
}

// A Redis that does not let its user run scripts gives no leases: what is loaded is served, and nothing is stored.
func TestRedisRefusesTheCommit(t *testing.T) {
	server := testkit.Redis(t)
	client := openStore(t, server)
	server.Do(t, "acl", "setuser", "default", "-eval")
	f := onObjects(t, func(o *cache.Options) { o.Store, o.Budget = client, time.Minute })
	v := f.objects.put("x", "v1", large)
	if res := f.read("o:x")[0]; !bytes.Equal(res.Value, v) {
		t.Errorf("got %s (%v)", outcome(res), res.Err)
	}
	if fills := f.events.of(event.Fill); len(fills) != 0 {
		t.Errorf("fills: %+v", fills)
	}
	if left := server.Do(t, "keys", "*"); fmt.Sprint(left) != "[]" && fmt.Sprint(left) != "[__forebay:filled]" {
		t.Errorf("left: %v", left)
	}
}
