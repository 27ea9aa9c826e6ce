package redis

import (
	"context"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"forebay/internal/testkit"
)

// The lease of a key is in the key's slot, as a cluster counts it, and is no other key's.
func TestLeasesAreInTheSlotsOfTheirKeys(t *testing.T) {
	server := testkit.Redis(t, "--cluster-enabled", "yes")
	client := server.Client()
	defer client.Close()
	c := &Client{slotTags: sync.OnceValue(slotTable)}
	seen := map[string]string{}
	slot := func(t *rapid.T, key string) int64 {
		n, err := client.ClusterKeySlot(context.Background(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.OneOf(rapid.StringMatching(`[ab{}0-9]{0,8}`), rapid.StringMatching(`.{0,6}[{}].{0,6}[{}]?.{0,6}`), rapid.String()).Draw(t, "key")
		for _, name := range []string{c.leaseKey([]byte(key)), c.stageName([]byte(key))} {
			if got, want := slot(t, name), slot(t, key); got != want {
				t.Errorf("%q is in slot %d, and %q in %d", name, got, key, want)
			}
			if !strings.HasPrefix(name, hiddenPrefix) {
				t.Errorf("%q is not hidden", name)
			}
		}
		name := c.leaseKey([]byte(key))
		if other, ok := seen[name]; ok && other != key {
			t.Errorf("%q and %q share %q", key, other, name)
		}
		seen[name] = key
	})
	for slot, tag := range c.slotTags() {
		if got := int(crc16([]byte(tag)) % slots); got != slot {
			t.Fatalf("tag %q of slot %d is in slot %d", tag, slot, got)
		}
	}
}
