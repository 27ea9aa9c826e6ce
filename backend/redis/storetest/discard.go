package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"forebay/backend"
)

// whole is a value that was seen whole.
func whole(key, value string) backend.Seen {
	return backend.Seen{Key: []byte(key), Head: []byte(value), Size: int64(len(value))}
}

// discard is Discard without errors.
func (s *suite) discard(t *testing.T, db int, seen ...backend.Seen) string {
	t.Helper()
	removed, errs, err := s.Store.Discard(t.Context(), db, seen)
	if err != nil || errors.Join(errs...) != nil {
		t.Fatalf("discard: %v, %v", errs, err)
	}
	if len(removed) != len(seen) || len(errs) != len(seen) {
		t.Fatalf("discard of %d gives %d answers and %d errors", len(seen), len(removed), len(errs))
	}
	return fmt.Sprint(removed)
}

func discards(t *testing.T, s *suite) {
	binary, large := "\x00\r\n$-1\r\n\xff", strings.Repeat("x", 300_000)
	for key, value := range map[string]string{"a": "bad", "empty": "", "binary": binary, "large": large, "number": "12"} {
		s.do(t, 0, "set", key, value, "ex", 60)
	}
	got := s.discard(t, 0, whole("a", "bad"), whole("empty", ""), whole("binary", binary), whole("large", large), whole("number", "12"), whole("absent", ""))
	if got != "[true true true true true false]" {
		t.Errorf("removed %s", got)
	}
	if n := s.do(t, 0, "dbsize"); n != int64(0) {
		t.Errorf("%v keys are left", n)
	}
	if got := s.discard(t, 0); got != "[]" {
		t.Errorf("of nothing: %s", got)
	}
}

// discardKeeps: whatever is not the very value that was seen stays, with its TTL.
func discardKeeps(t *testing.T, s *suite) {
	for key, value := range map[string]string{"a": "good", "same size": "bad2", "longer": "bad and more", "shorter": "ba", "empty": ""} {
		s.do(t, 0, "set", key, value)
	}
	s.do(t, 0, "hset", "hash", "bad", "bad")
	s.do(t, 0, "rpush", "list", "bad")
	s.do(t, 3, "set", "k", "bad")
	got := s.discard(t, 0, whole("a", "bad"), whole("same size", "bad1"), whole("longer", "bad"), whole("shorter", "bad"),
		whole("empty", "bad"), whole("hash", "bad"), whole("list", "bad"), whole("k", "bad"))
	if got != "[false false false false false false false false]" {
		t.Errorf("removed %s", got)
	}
	if n := s.do(t, 0, "dbsize"); n != int64(7) {
		t.Errorf("%v keys are left, want 7", n)
	}
	if got := s.discard(t, 3, whole("k", "bad")); got != "[true]" {
		t.Errorf("in database 3: %s", got)
	}
}

// discardByHead: a value that was not seen whole is told by its beginning and its size.
func discardByHead(t *testing.T, s *suite) {
	value := "head" + strings.Repeat("x", 1<<20)
	head := func(h string, size int) backend.Seen {
		return backend.Seen{Key: []byte("k"), Head: []byte(h), Size: int64(size)}
	}
	s.do(t, 0, "set", "k", value)
	for _, seen := range []backend.Seen{head("heap", len(value)), head("head", len(value)-1), head("head", 4)} {
		if got := s.discard(t, 0, seen); got != "[false]" {
			t.Errorf("%q and %d bytes: removed", seen.Head, seen.Size)
		}
	}
	for _, seen := range []backend.Seen{head("head", len(value)), head("", len(value)), whole("k", value)} {
		s.do(t, 0, "set", "k", value)
		if got := s.discard(t, 0, seen); got != "[true]" {
			t.Errorf("%.4q and %d bytes: stays", seen.Head, seen.Size)
		}
	}
}

func heads(t *testing.T, s *suite) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	s.do(t, 0, "set", "large", large)
	s.do(t, 0, "set", "short", "abc")
	s.do(t, 0, "set", "empty", "")
	s.do(t, 0, "hset", "hash", "f", "v")
	for key, want := range map[string]struct {
		head string
		size int64
	}{"large": {string(large[:100]), 1 << 20}, "short": {"abc", 3}, "empty": {"", 0}} {
		head, size, err := s.Store.Head(t.Context(), 0, []byte(key), 100)
		if err != nil || head == nil || string(head) != want.head || size != want.size {
			t.Errorf("%s: %q, %d, %v", key, head, size, err)
		}
	}
	if head, size, err := s.Store.Head(t.Context(), 0, []byte("absent"), 100); head != nil || size != 0 || err != nil {
		t.Errorf("of an absent key: %q, %d, %v", head, size, err)
	}
	if _, _, err := s.Store.Head(t.Context(), 0, []byte("hash"), 100); err == nil || errors.Is(err, backend.ErrStoreDown) || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("of a hash: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Store.Head(ctx, 0, []byte("k"), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, _, err := s.Store.Discard(ctx, 0, []backend.Seen{whole("short", "abc")}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
