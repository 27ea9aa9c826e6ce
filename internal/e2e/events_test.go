package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"forebay/internal/event"
)

// record is the part of an event's line that these tests look at.
type record struct {
	Kind, Key, Route, Origin, Result, Reason, Error, By string
	Proxy                                               string
	Boot, Seq, Bytes, Count, Rows                       int64
	Time                                                time.Time
}

// topicLine is one line of a topic with the partition it was read from.
type topicLine struct {
	partition int
	text      []byte
}

// stream is what a topic holds.
type stream struct {
	events  []record    // each once, though Kafka may hold a line twice
	lines   []topicLine // as they are
	records int         // Kafka records that held the lines
	seen    map[identity]bool
}

// identity is what readers dedupe by.
type identity struct {
	proxy     string
	boot, seq int64
	partition int
}

// readTopic reads the topic from its first record until the events are all there.
func readTopic(t testing.TB, broker, topic string, until func(*stream) bool) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	transport := &kafka.Transport{DialTimeout: 5 * time.Second}
	defer transport.CloseIdleConnections()
	r := topicReader{client: &kafka.Client{Addr: kafka.TCP(broker), Timeout: 10 * time.Second, Transport: transport}, topic: topic}
	r.seen = map[identity]bool{}
	var last error
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := r.round(ctx); err != nil {
			last = err
		}
		if until(&r.stream) {
			return &r.stream
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("topic %s: not all there: %d lines: %s; last error: %v", topic, len(r.lines), r.kinds(), last)
		}
	}
}

// ended is for readTopic: the process named has ended every partition.
func ended(partitions int) func(*stream) bool {
	return func(s *stream) bool { return len(s.of("end")) >= partitions }
}

type topicReader struct {
	stream
	client *kafka.Client
	topic  string
	next   []int64 // the offset to read next, by partition
}

// round reads what is new.
func (r *topicReader) round(ctx context.Context) error {
	meta, err := r.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{r.topic}})
	if err != nil {
		return err
	}
	for _, topic := range meta.Topics {
		if topic.Error != nil {
			return topic.Error
		}
		for len(r.next) < len(topic.Partitions) {
			r.next = append(r.next, 0)
		}
	}
	var errs []error
	for p := range r.next {
		errs = append(errs, r.fetch(ctx, p))
	}
	return errors.Join(errs...)
}

func (r *topicReader) fetch(ctx context.Context, partition int) error {
	res, err := r.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: r.topic, Partition: partition, Offset: r.next[partition],
		MinBytes: 1, MaxBytes: 8 << 20, MaxWait: 10 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	if res.Error != nil {
		return res.Error
	}
	for {
		rec, err := res.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if rec.Offset < r.next[partition] { // a fetch answers with whole batches
			continue
		}
		value, err := kafka.ReadAll(rec.Value)
		if err != nil {
			return err
		}
		r.next[partition] = rec.Offset + 1
		r.records++
		for text := range bytes.SplitSeq(value, []byte("\n")) {
			if len(text) == 0 {
				continue
			}
			var e record
			if err := json.Unmarshal(text, &e); err != nil {
				return fmt.Errorf("line %q: %w", text, err)
			}
			if id := (identity{e.Proxy, e.Boot, e.Seq, partition}); !r.seen[id] {
				r.seen[id] = true
				r.events = append(r.events, e)
			}
			r.lines = append(r.lines, topicLine{partition, text})
		}
	}
}

// of is the events of some kinds, in the order in which partitions were read.
func (s *stream) of(kinds ...string) []record {
	var list []record
	for _, e := range s.events {
		if slices.Contains(kinds, e.Kind) {
			list = append(list, e)
		}
	}
	return list
}

// reads counts the hits and misses of each key.
func (s *stream) reads() map[string]int {
	n := map[string]int{}
	for _, e := range s.of("hit", "miss") {
		n[e.Key]++
	}
	return n
}

// verify is event.Verify's report.
func (s *stream) verify(t testing.TB) event.Report {
	t.Helper()
	report, err := event.Verify(iter.Seq2[int, []byte](func(yield func(int, []byte) bool) {
		for _, l := range s.lines {
			if !yield(l.partition, l.text) {
				return
			}
		}
	}))
	must(t, err)
	return report
}

// wantWhole wants every event of every seq there, once, and every stream ended.
func (s *stream) wantWhole(t testing.TB) {
	t.Helper()
	r := s.verify(t)
	if !r.Complete() || r.Lost != 0 || r.Duplicates != 0 || r.Open != 0 {
		t.Errorf("the topic is not whole: complete %v, %d lost, %d missing, %d duplicates, %d streams open: %+v",
			r.Complete(), r.Lost, r.Missing, r.Duplicates, r.Open, r.Streams)
	}
	if gaps := s.of("gap"); len(gaps) > 0 {
		t.Errorf("%d gaps: %+v", len(gaps), gaps)
	}
}

// kinds is how many events of each kind there are, for people.
func (s *stream) kinds() string {
	n := map[string]int{}
	for _, e := range s.events {
		n[e.Kind]++
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, n[k]))
	}
	return strings.Join(parts, ", ")
}
