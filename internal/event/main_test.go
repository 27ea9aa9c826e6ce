package event_test

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"slices"
	"sync"
	"testing"

	"forebay/internal/event"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a sink that keeps batches, and can refuse or block.
type memory struct {
	mu      sync.Mutex
	batches []event.Batch
	refuse  bool
	entered chan struct{} // if not nil: told of each Write
	gate    chan struct{} // if not nil: each Write waits until it is closed
}

func (m *memory) Name() string                { return "memory" }
func (m *memory) Healthy() error              { return nil }
func (m *memory) Close(context.Context) error { return nil }

func (m *memory) Write(b event.Batch) bool {
	if m.gate != nil {
		select {
		case m.entered <- struct{}{}:
		default:
		}
		<-m.gate
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse {
		return false
	}
	b.Lines = bytes.Clone(b.Lines)
	m.batches = append(m.batches, b)
	return true
}

func (m *memory) setRefuse(refuse bool) {
	m.mu.Lock()
	m.refuse = refuse
	m.mu.Unlock()
}

// lines yields every line kept, with its partition.
func (m *memory) lines() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, b := range m.batches {
			for line := range bytes.Lines(b.Lines) {
				if !yield(b.Partition, line) {
					return
				}
			}
		}
	}
}

// written is a line as a reader sees it.
type written struct {
	V         int    `json:"v"`
	Proxy     string `json:"proxy"`
	Boot      int64  `json:"boot"`
	Seq       int64  `json:"seq"`
	Time      string `json:"time"`
	Kind      string `json:"kind"`
	Key       string `json:"key"`
	KeyB64    []byte `json:"key_b64"`
	KeyLen    int    `json:"key_len"`
	DB        int    `json:"db"`
	Route     string `json:"route"`
	Session   string `json:"session"`
	Origin    string `json:"origin"`
	Result    string `json:"result"`
	Bytes     int64  `json:"bytes"`
	Duration  int64  `json:"duration_us"`
	Reason    string `json:"reason"`
	Rows      int    `json:"rows"`
	Count     int64  `json:"count"`
	Error     string `json:"error"`
	By        string `json:"by"`
	Text      string `json:"text"`
	Partition int    `json:"-"`
}

func parse(t *testing.T, line []byte) (w written) {
	t.Helper()
	if err := json.Unmarshal(line, &w); err != nil {
		t.Fatalf("line %s: %v", line, err)
	}
	return w
}

// events returns every line kept, parsed, without the kinds to leave out.
func (m *memory) events(t *testing.T, without ...event.Kind) (out []written) {
	t.Helper()
	for partition, line := range m.lines() {
		w := parse(t, line)
		w.Partition = partition
		if k, ok := event.ParseKind(w.Kind); !ok || !slices.Contains(without, k) {
			out = append(out, w)
		}
	}
	return out
}

// verify checks that the sink's stream is complete and ended, and that batches' ranges join.
func (m *memory) verify(t *testing.T) event.Report {
	t.Helper()
	r, err := event.Verify(m.lines())
	if err != nil {
		t.Fatal(err)
	}
	if !r.Complete() || r.Open != 0 || r.Duplicates != 0 {
		t.Fatalf("stream not complete: %+v", r)
	}
	type stream struct {
		boot      int64
		partition int
	}
	next := map[stream]int64{}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.batches {
		s := stream{b.Boot, b.Partition}
		if want := max(1, next[s]); b.First != want {
			t.Fatalf("batch of %+v begins with %d, want %d", s, b.First, want)
		}
		if len(b.Lines) > event.MaxBatch {
			t.Fatalf("batch of %d bytes", len(b.Lines))
		}
		next[s] = b.First + b.Count
	}
	return r
}

// closed closes p and fails the test if that fails.
func closed(t *testing.T, p *event.Pipeline) {
	t.Helper()
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
