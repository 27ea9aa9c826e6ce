package main

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"forebay/backend/cassandra"
)

// Without a terminal there is a line a second at most, with the rate and the time left.
func TestLoadProgressLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &loadProgress{w: &out}
		p.begin("d/train", "sample", 1000)
		for i := range 250 {
			time.Sleep(10 * time.Millisecond)
			p.show(cassandra.Progress{Done: i + 1, Total: 1000, Bytes: int64(i+1) * 10})
		}
		p.end()
		const want = "d/train: 100 of 1000 samples (10%), 1000 bytes, 100 samples/s, 9s left\n" +
			"d/train: 200 of 1000 samples (20%), 2000 bytes, 100 samples/s, 8s left\n"
		if out.String() != want {
			t.Errorf("it says\n%swant\n%s", &out, want)
		}
		out.Reset()
		p.begin("d/all", "chunk", 0) // learns its total
		time.Sleep(2 * time.Second)
		p.show(cassandra.Progress{Done: 1, Total: 1, Bytes: 7, Skipped: 1})
		if want := "d/all: 1 of 1 chunk (100%), 7 bytes, 0 chunks/s, 0s left\n"; out.String() != want || p.skipped() != ", 1 chunk stored already" {
			t.Errorf("it says %q and %q, want %q", out.String(), p.skipped(), want)
		}
	})
}
