package testkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// readTopicLimit is how long ReadTopic waits for the lines it is to find.
const readTopicLimit = 60 * time.Second

// ReadTopic reads every partition of topic from its first record, splits the records' values into NDJSON lines (empty ones are
// left out), and returns all lines so far once until says so; order holds within a partition. It waits for a topic
// that does not exist yet, and fails t after 60 s, saying how many lines it had.
func ReadTopic(t testing.TB, broker, topic string, until func(lines [][]byte) bool) [][]byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readTopicLimit)
	defer cancel()
	transport := &kafka.Transport{DialTimeout: 5 * time.Second}
	defer transport.CloseIdleConnections()
	r := &topicReader{
		client: &kafka.Client{Addr: kafka.TCP(broker), Timeout: 10 * time.Second, Transport: transport},
		topic:  topic,
		next:   make(map[int]int64),
	}
	var lastErr error
	for !until(r.lines) {
		if err := r.round(ctx); err != nil {
			lastErr = err
		}
		if ctx.Err() != nil {
			t.Fatalf("topic %s: not all there after %v: %d lines, last error: %v",
				topic, readTopicLimit, len(r.lines), lastErr)
		}
	}
	return r.lines
}

type topicReader struct {
	client *kafka.Client
	topic  string
	next   map[int]int64 // the offset to read next, by partition
	lines  [][]byte
}

// round reads what is new in every partition once. With nothing new, the broker's own wait keeps the loop from spinning.
func (r *topicReader) round(ctx context.Context) error {
	if err := r.findPartitions(ctx); err != nil {
		select { // not there yet, or the broker is down
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
		return err
	}
	var errs []error
	for partition := range r.next {
		if err := r.fetch(ctx, partition); err != nil {
			errs = append(errs, fmt.Errorf("fetch partition %d: %w", partition, err))
		}
	}
	return errors.Join(errs...)
}

func (r *topicReader) findPartitions(ctx context.Context) error {
	meta, err := r.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{r.topic}})
	if err != nil {
		return fmt.Errorf("ask for the topic: %w", err)
	}
	for _, topic := range meta.Topics {
		if topic.Error != nil {
			return fmt.Errorf("ask for the topic: %w", topic.Error)
		}
		for _, p := range topic.Partitions {
			if _, known := r.next[p.ID]; !known {
				r.next[p.ID] = 0
			}
		}
	}
	if len(r.next) == 0 {
		return errors.New("ask for the topic: no partitions yet")
	}
	return nil
}

func (r *topicReader) fetch(ctx context.Context, partition int) error {
	res, err := r.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: r.topic, Partition: partition, Offset: r.next[partition],
		MinBytes: 1, MaxBytes: 8 << 20, MaxWait: 20 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	if res.Error != nil {
		return res.Error
	}
	for {
		record, err := res.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		// A fetch answers with whole batches: the first may begin before the offset asked for.
		if record.Offset < r.next[partition] {
			continue
		}
		value, err := kafka.ReadAll(record.Value)
		if err != nil {
			return err
		}
		r.next[partition] = record.Offset + 1
		for line := range bytes.SplitSeq(value, []byte("\n")) {
			if len(line) > 0 {
				r.lines = append(r.lines, line)
			}
		}
	}
}
