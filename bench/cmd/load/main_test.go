package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"forebay/internal/testkit"
)

func TestRun(t *testing.T) {
	redis := testkit.Redis(t)
	o, err := parse(strings.Fields("-fill -conns 3 -depth 2 -width 4 -sets 0.1 -order zipf -keys 20 -bytes 7 -warm 5ms -duration 20ms "+redis.Addr), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), o, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"commands/s over", "p99.9"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %q", want, out.String())
		}
	}
	if n := redis.Do(t, "DBSIZE"); n != int64(20) {
		t.Errorf("%v keys are set, want 20", n)
	}
	o.addr = "127.0.0.1:1"
	if err := run(t.Context(), o, &out); err == nil {
		t.Error("no error where nobody listens")
	}
}

func TestParse(t *testing.T) {
	for _, args := range []string{"", "a:1 b:2", "-depth x a:1"} {
		if _, err := parse(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
