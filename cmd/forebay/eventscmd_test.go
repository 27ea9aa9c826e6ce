package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEventsOfTheEmbeddedDefault verifies what a Forebay without a configuration has written, while it serves and when it has ended.
func TestEventsOfTheEmbeddedDefault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.ndjson")
	in := serve(t, "--events.file="+path)
	c := in.client(t)
	for i := range 300 {
		if err := c.Get(t.Context(), fmt.Sprint("digits:train:", i%200)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	reads := func() int {
		_, out, _ := command(t, "events", "tail", "--file", path, "--kind", "hit,miss", "--route", "digits")
		return strings.Count(out, "\n")
	}
	eventually(t, "all reads are told", func() bool { return reads() == 300 })
	status, out, errs := command(t, "events", "verify", "--file", path)
	if status != done || !strings.Contains(out, "streams have no end yet: their Forebay serves still") || !strings.Contains(out, "\ncomplete: ") {
		t.Errorf("while it serves: status %d\n%s%s", status, out, errs)
	}
	in.stop(t)
	if status, out, errs = command(t, "events", "verify", "--ended", "--events.file="+path); status != done || strings.Contains(out, "note:") {
		t.Errorf("at its end: status %d\n%s%s", status, out, errs)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	for name, tt := range map[string]struct{ text, want string }{
		"a line less":           {strings.Join(append(lines[:40:40], lines[41:]...), ""), "1 events are missing"},
		"a line that broke off": {strings.Join(lines[:40], "") + lines[40][:20], "the last line of the file is not whole"},
		"twice the same":        {string(text) + strings.Join(lines[:40], ""), "\ncomplete: "},
	} {
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		status, out, errs := command(t, "events", "verify", "--file", path)
		if !strings.Contains(out+errs, tt.want) || (status == failed) != strings.Contains(tt.want, "missing") {
			t.Errorf("%s: status %d\n%s%s", name, status, out, errs)
		}
	}
}

// TestFollowedFile follows a file that grows, in pieces of lines, and is replaced twice; and one from its end on.
func TestFollowedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	put := func(flag int, text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flag, 0o600)
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
	}
	line := func(i int) string { return fmt.Sprintf(`{"seq":%d,"kind":"hit","partition":0}`+"\n", i) }
	put(0, line(1))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all, fresh, errs lockedBuffer
	ends := make(chan int, 2)
	go func() { ends <- run(ctx, []string{"events", "tail", "--follow", "--file", path}, nil, &all, &errs) }()
	go func() {
		ends <- run(ctx, []string{"events", "tail", "-f", "--new", "--file", path, "-n", "3"}, nil, &fresh, &errs)
	}()
	has := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprint("line ", n, " is printed"), func() bool { return strings.HasSuffix(all.String(), line(n)) })
	}
	has(1)
	put(os.O_APPEND, line(2)+line(3)[:10])
	has(2)
	put(os.O_APPEND, line(3)[10:])
	has(3)
	for n := 4; n < 8; n += 2 {
		put(os.O_APPEND, line(n))
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		put(0, line(n+1))
		has(n + 1)
	}
	want := ""
	for i := range 7 {
		want += line(i + 1)
	}
	if all.String() != want {
		t.Errorf("all: %s", &all)
	}
	cancel()
	for range 2 {
		if status := <-ends; status != done {
			t.Errorf("status %d: %s", status, &errs)
		}
	}
	// Nobody knows at which line the second began.
	if got := fresh.String(); strings.Count(got, "\n") > 3 || !strings.Contains(want, got) {
		t.Errorf("from the end on: %q", got)
	}
}
