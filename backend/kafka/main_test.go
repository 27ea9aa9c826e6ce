package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"forebay/backend/kafka"
	"forebay/internal/event"

	kafkago "github.com/segmentio/kafka-go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client returns a client of the broker's own, for what the tests ask beside the sink.
func client(t *testing.T, broker string) *kafkago.Client {
	t.Helper()
	transport := &kafkago.Transport{MetadataTTL: 100 * time.Millisecond}
	t.Cleanup(transport.CloseIdleConnections)
	return &kafkago.Client{Addr: kafkago.TCP(broker), Transport: transport, Timeout: 5 * time.Second}
}

// newSink returns a sink that logs to the test.
func newSink(t *testing.T, opt kafka.Options) *kafka.Sink {
	t.Helper()
	opt.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := kafka.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // for tests that fail before they close it
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Close(ctx)
	})
	return s
}

// started returns a running pipeline into the sink.
func started(proxy string, s *kafka.Sink, opt event.Options) *event.Pipeline {
	opt.Proxy = proxy
	opt.Sinks = []event.Sink{s}
	p := event.New(opt)
	p.Start()
	return p
}

// record records n events, and carries them to the sink.
func record(t *testing.T, p *event.Pipeline, n int) {
	t.Helper()
	for i := range n {
		p.Record(&event.Event{Kind: event.Hit, Origin: event.FromRedis, Route: "mnist", Key: fmt.Appendf(nil, "mnist:train:%d", i), Bytes: 3136})
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func closed(t *testing.T, p *event.Pipeline) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// held is what a topic holds.
type held struct {
	event.Report
	records    int
	partitions int
}

// read reads the whole topic as it is, checks each record's headers against its lines, and verifies.
func read(t *testing.T, broker, topic string) held {
	t.Helper()
	c := client(t, broker)
	var v event.Verifier
	var h held
	h.partitions = countPartitions(t, c, topic)
	for partition := range h.partitions {
		end := lastOffset(t, c, topic, partition)
		for at := int64(0); at < end; {
			res, err := c.Fetch(t.Context(), &kafkago.FetchRequest{Topic: topic, Partition: partition, Offset: at, MinBytes: 1, MaxBytes: 8 << 20, MaxWait: time.Second})
			if err == nil {
				err = res.Error
			}
			if err != nil {
				t.Fatal(err)
			}
			at = addRecords(t, &v, res.Records, at, &h)
		}
	}
	h.Report = v.Report()
	return h
}

func addRecords(t *testing.T, v *event.Verifier, records kafkago.RecordReader, at int64, h *held) int64 {
	t.Helper()
	for {
		rec, err := records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return at
		}
		if err != nil {
			t.Fatal(err)
		}
		if rec.Offset < at {
			continue
		}
		at = rec.Offset + 1
		h.records++
		header := map[string]string{}
		for _, kv := range rec.Headers {
			header[kv.Key] = string(kv.Value)
		}
		number := func(name string) int64 {
			n, err := strconv.ParseInt(header[name], 10, 64)
			if err != nil {
				t.Fatalf("header %s: %v in %v", name, err, header)
			}
			return n
		}
		value, err := kafkago.ReadAll(rec.Value)
		if err != nil {
			t.Fatal(err)
		}
		var own event.Verifier // of this record: its lines must be what the headers say
		for line := range bytes.Lines(value) {
			if err := errors.Join(v.Add(int(number("partition")), line), own.Add(0, line)); err != nil {
				t.Fatal(err)
			}
		}
		s := own.Report().Streams[0]
		first := number("seq")
		if len(s.Missing) == 1 {
			s.Missing[0].First = 0
		}
		wholeRun := first == 1 && len(s.Missing) == 0 || len(s.Missing) == 1 && s.Missing[0].Last == first-1
		if !wholeRun || s.Last != first+number("count")-1 || s.Proxy != header["proxy"] || s.Boot != number("boot") || header["content-type"] != "application/x-ndjson" {
			t.Fatalf("headers %v of lines %+v", header, s)
		}
	}
}

func countPartitions(t *testing.T, c *kafkago.Client, topic string) (n int) {
	t.Helper()
	until(t, "topic is there", func() bool {
		meta, err := c.Metadata(t.Context(), &kafkago.MetadataRequest{Topics: []string{topic}})
		if err != nil || meta.Topics[0].Error != nil {
			return false
		}
		n = len(meta.Topics[0].Partitions)
		return n > 0
	})
	return n
}

func lastOffset(t *testing.T, c *kafkago.Client, topic string, partition int) (end int64) {
	t.Helper()
	until(t, "offsets are told", func() bool {
		res, err := c.ListOffsets(t.Context(), &kafkago.ListOffsetsRequest{
			Topics: map[string][]kafkago.OffsetRequest{topic: {kafkago.LastOffsetOf(partition)}},
		})
		if err != nil || len(res.Topics[topic]) == 0 || res.Topics[topic][0].Error != nil {
			return false
		}
		end = res.Topics[topic][0].LastOffset
		return true
	})
	return end
}

// whole checks that the topic has n events beside ends and checkpoints, in complete and ended streams, and that lines and losses make n.
func (h held) whole(t *testing.T, n int64) {
	t.Helper()
	ends := int64(len(h.Streams))
	if !h.Complete() || h.Open != 0 {
		t.Fatalf("topic not complete: %+v", h)
	}
	if got := h.Lines - ends + h.Lost; got < n {
		t.Errorf("%d events with %d lost, want %d", got, h.Lost, n)
	}
}
