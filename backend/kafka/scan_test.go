package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"forebay/backend/kafka"
	"forebay/internal/event"
	"forebay/internal/testkit"
)

// A scan gives the whole topic, as verified by the numbers of its events, and nothing that comes later; one that follows goes on, and begins where it is told
// to.
func TestScan(t *testing.T) {
	broker, topic := testkit.Kafka(t).Broker, testkit.Topic(t)
	p := started("a", newSink(t, kafka.Options{Brokers: []string{broker}, Topic: topic, Partitions: 3}), event.Options{PartitionWait: 20 * time.Second})
	record(t, p, 3000)
	opt := kafka.ScanOptions{Brokers: []string{broker}, Topic: topic}
	open := func(o kafka.ScanOptions) *kafka.Scan {
		t.Helper()
		s, err := kafka.OpenScan(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return s
	}
	var before *kafka.Scan
	until(t, "there is something in the topic", func() bool {
		before = open(opt)
		return slices.ContainsFunc(before.Extents, func(e kafka.Extent) bool { return e.End > 0 })
	})
	follow := opt
	follow.Follow = true
	s := open(follow)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lines := make(chan event.Report, 1)
	go func() {
		var v event.Verifier
		if err := s.Run(ctx, func(partition int, records []kafka.Record) error {
			verify(t, &v, partition, records)
			if r := v.Report(); r.Open == 0 && len(r.Streams) >= 3 {
				cancel()
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		lines <- v.Report()
	}()
	record(t, p, 3000)
	closed(t, p)
	if r := <-lines; !r.Complete() || r.Lines < 6000 || r.Open != 0 {
		t.Errorf("followed: %+v", r)
	}

	var whole, part event.Verifier
	for _, x := range []struct {
		s *kafka.Scan
		v *event.Verifier
	}{{open(opt), &whole}, {before, &part}} {
		if err := x.s.Run(t.Context(), func(partition int, records []kafka.Record) error {
			verify(t, x.v, partition, records)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if r := whole.Report(); !r.Complete() || r.Open != 0 || r.Lines < 6000 {
		t.Errorf("the whole topic: %+v", r)
	}
	if r := part.Report(); !r.Complete() || r.Lines >= 6000 || r.Open == 0 {
		t.Errorf("what was there before: %+v", r)
	}
	fresh := follow
	fresh.New = true
	s = open(fresh)
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx, func(int, []kafka.Record) error { t.Error("it read what was there"); return nil }); err != nil {
		t.Error(err)
	}

	enough := errors.New("enough")
	if err := open(opt).Run(t.Context(), func(int, []kafka.Record) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("an error of who takes: %v", err)
	}
	if _, err := kafka.OpenScan(t.Context(), kafka.ScanOptions{Brokers: []string{broker}, Topic: testkit.Topic(t)}); err == nil {
		t.Error("a topic that does not exist was opened")
	}
	if _, err := kafka.OpenScan(t.Context(), kafka.ScanOptions{Brokers: []string{"127.0.0.1:1"}, Topic: topic}); err == nil {
		t.Error("a broker that does not exist was found")
	}
}

// verify gives the verifier the lines of records.
func verify(t *testing.T, v *event.Verifier, lies int, records []kafka.Record) {
	t.Helper()
	for i := range records {
		for line := range bytes.Lines(records[i].Value) {
			if err := v.Add(records[i].EventPartition(lies), line); err != nil {
				t.Error(err)
			}
		}
	}
}
