package kafka_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"forebay/backend/kafka"
	"forebay/internal/event"
	"forebay/internal/testkit"

	kafkago "github.com/segmentio/kafka-go"
)

func TestTwoProcessesWriteOneTopicThatTheyCreate(t *testing.T) {
	broker, topic := testkit.Kafka(t).Broker, testkit.Topic(t)
	opt := kafka.Options{Brokers: []string{broker}, Topic: topic, Partitions: 3, Replication: 1, Retention: 48 * time.Hour}
	a := started("a", newSink(t, opt), event.Options{PartitionWait: 20 * time.Second})
	b := started("b", newSink(t, opt), event.Options{PartitionWait: 20 * time.Second})
	for range 4 {
		record(t, a, 5000)
		record(t, b, 5000)
	}
	closed(t, a)
	closed(t, b)

	h := read(t, broker, topic)
	h.whole(t, 40000)
	if h.partitions != 3 || len(h.Streams) != 6 || h.Lost != 0 || h.Lines != 40006 {
		t.Errorf("%d partitions, %d streams, %d lines, %d lost", h.partitions, len(h.Streams), h.Lines, h.Lost)
	}
	if h.records > 40000/50 {
		t.Errorf("%d records for 40,000 events: not packed", h.records)
	}
	if got := retention(t, broker, topic); got != "172800000" {
		t.Errorf("retention.ms %q", got)
	}
}

func retention(t *testing.T, broker, topic string) string {
	t.Helper()
	res, err := client(t, broker).DescribeConfigs(t.Context(), &kafkago.DescribeConfigsRequest{
		Resources: []kafkago.DescribeConfigRequestResource{{
			ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{"retention.ms"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return res.Resources[0].ConfigEntries[0].ConfigValue
}

func TestExistingTopicsPartitionsWinAndItsGrowthBeginsABoot(t *testing.T) {
	broker, topic := testkit.Kafka(t).Broker, testkit.Topic(t)
	c := client(t, broker)
	createTopic(t, broker, kafkago.TopicConfig{Topic: topic, NumPartitions: 2, ReplicationFactor: 1})
	s := newSink(t, kafka.Options{Brokers: []string{broker}, Topic: topic, Partitions: 9, TopicEvery: 50 * time.Millisecond})
	p := started("a", s, event.Options{Boot: 5, PartitionWait: 20 * time.Second})
	record(t, p, 1000)
	if got := p.Stats(); got.Partitions != 2 || got.Boot != 5 {
		t.Fatalf("stats %+v, want the topic's 2 partitions from the first seq on", got)
	}
	until(t, "the topic has 4 partitions", func() bool { // a broker that is busy is "not available" to its controller now and then
		grown, err := c.CreatePartitions(t.Context(), &kafkago.CreatePartitionsRequest{
			Topics: []kafkago.TopicPartitionsConfig{{Name: topic, Count: 4}},
		})
		if err == nil {
			err = grown.Errors[topic]
		}
		return err == nil || errors.Is(err, kafkago.InvalidPartitionNumber) // it has them
	})
	until(t, "the pipeline has 4 partitions", func() bool { return p.Stats().Partitions == 4 })
	record(t, p, 1000)
	closed(t, p)
	h := read(t, broker, topic)
	h.whole(t, 2000)
	if len(h.Streams) != 6 || h.Lost != 0 {
		t.Errorf("%d streams, %d lost", len(h.Streams), h.Lost)
	}
}

// What was given a seq before the topic was found waits in more partitions than it turns out to have.
func TestEventsOfMorePartitionsThanTheTopicHas(t *testing.T) {
	broker, topic := testkit.Kafka(t).Broker, testkit.Topic(t)
	createTopic(t, broker, kafkago.TopicConfig{Topic: topic, NumPartitions: 2, ReplicationFactor: 1})
	away := testkit.NewFaultProxy(t, "tcp", broker)
	away.Cut() // so that the first events are given out before the topic is found
	s := newSink(t, kafka.Options{Brokers: []string{away.Addr}, Topic: topic, Partitions: 5})
	p := started("a", s, event.Options{PartitionWait: -1})
	record(t, p, 1000)
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	away.Restore()
	until(t, "the pipeline has 2 partitions", func() bool { return p.Stats().Partitions == 2 })
	record(t, p, 1000)
	closed(t, p)
	h := read(t, broker, topic)
	h.whole(t, 2000)
	if len(h.Streams) != 7 || h.partitions != 2 || h.Lost != 0 {
		t.Errorf("%d streams in %d partitions, %d lost, want 5 and then 2 in 2", len(h.Streams), h.partitions, h.Lost)
	}
}

// A record that Kafka will never take must not stop those behind it.
func TestPackTooLargeForTheTopicBecomesAGap(t *testing.T) {
	broker, topic := testkit.Kafka(t).Broker, testkit.Topic(t)
	createTopic(t, broker, kafkago.TopicConfig{
		Topic: topic, NumPartitions: 1, ReplicationFactor: 1,
		ConfigEntries: []kafkago.ConfigEntry{{ConfigName: "max.message.bytes", ConfigValue: "3000"}},
	})
	s := newSink(t, kafka.Options{Brokers: []string{broker}, Topic: topic})
	p := started("a", s, event.Options{PartitionWait: 20 * time.Second})
	record(t, p, 10)
	until(t, "it has arrived", func() bool { return s.Stats().Sent == 10 })
	for range 200 { // random keys: lz4 does not help
		p.Record(&event.Event{Kind: event.Hit, Key: []byte(rand.Text() + rand.Text() + rand.Text())})
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "it is given up", func() bool { return s.Stats().Lost > 0 })
	record(t, p, 10)
	closed(t, p)
	h := read(t, broker, topic)
	h.whole(t, 220)
	if h.Lost == 0 || h.Lost != s.Stats().Lost || h.Lines < 11 {
		t.Errorf("%d lines, %d lost", h.Lines, h.Lost)
	}
}

func createTopic(t *testing.T, broker string, topic kafkago.TopicConfig) {
	t.Helper()
	res, err := client(t, broker).CreateTopics(t.Context(), &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{topic}})
	if err == nil {
		err = res.Errors[topic.Topic]
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAbsentTopicIsAnErrorWhereItMustNotBeCreated(t *testing.T) {
	s := newSink(t, kafka.Options{Brokers: []string{testkit.Kafka(t).Broker}, Topic: testkit.Topic(t), NoCreate: true})
	until(t, "the topic is missed", func() bool { return errors.Is(s.Healthy(), kafkago.UnknownTopicOrPartition) })
}

func TestCloseSendsWhatLingers(t *testing.T) {
	broker, topic := testkit.Kafka(t).Broker, testkit.Topic(t)
	s := newSink(t, kafka.Options{Brokers: []string{broker}, Topic: topic, Partitions: 2, Linger: time.Hour})
	p := started("a", s, event.Options{PartitionWait: 20 * time.Second})
	record(t, p, 10)
	closed(t, p)
	if h := read(t, broker, topic); !h.Complete() || h.Lines != 12 || h.Open != 0 {
		t.Errorf("topic %+v", h)
	}
	if s.Write(event.Batch{}) {
		t.Error("a closed sink takes events")
	}
}

// One private broker, and what happens to events while it is away.
func TestKafkaAway(t *testing.T) {
	begun := testkit.BeginKafka(t)
	t.Parallel() // so that it starts while other tests run
	server := begun()
	options := func(t *testing.T) kafka.Options {
		return kafka.Options{
			Brokers: []string{server.Broker}, Topic: testkit.Topic(t), Partitions: 3,
			RequestTimeout: 2 * time.Second, MaxBackoff: 500 * time.Millisecond,
		}
	}
	t.Run("stopped and started again", func(t *testing.T) {
		opt := options(t)
		s := newSink(t, opt)
		p := started("a", s, event.Options{PartitionWait: 20 * time.Second})
		record(t, p, 20000)
		server.Stop()
		record(t, p, 20000)
		until(t, "it is noticed", func() bool { return s.Healthy() != nil })
		record(t, p, 20000)
		server.Start()
		until(t, "it is noticed", func() bool { return s.Healthy() == nil })
		record(t, p, 20000)
		closed(t, p)
		h := read(t, server.Broker, opt.Topic)
		h.whole(t, 80000)
		if h.Lost != 0 {
			t.Errorf("lost %d", h.Lost)
		}
		t.Logf("%d lines in %d records, %d repeated, %d requests failed", h.Lines, h.records, h.Duplicates, s.Stats().Retries)
	})
	t.Run("frozen, so that requests time out and arrive later", func(t *testing.T) {
		opt := options(t)
		s := newSink(t, opt)
		p := started("a", s, event.Options{PartitionWait: 20 * time.Second})
		record(t, p, 10000)
		until(t, "some has arrived", func() bool { return s.Stats().Sent > 0 })
		server.Pause()
		record(t, p, 10000)
		until(t, "requests have failed", func() bool { return s.Stats().Retries >= 2 })
		server.Resume()
		record(t, p, 10000)
		closed(t, p)
		h := read(t, server.Broker, opt.Topic)
		h.whole(t, 30000)
		if h.Lost != 0 {
			t.Errorf("lost %d", h.Lost)
		}
		t.Logf("%d lines in %d records, %d repeated, %d requests failed", h.Lines, h.records, h.Duplicates, s.Stats().Retries)
	})
	server.Stop()
	t.Run("away at the start, and more events than the budget", func(t *testing.T) {
		opt := options(t)
		opt.BufferBytes = 1 << 20
		s := newSink(t, opt)
		p := started("a", s, event.Options{PartitionWait: -1, QueueBytes: 1 << 30})
		for range 10 {
			record(t, p, 5000)
			if got := s.Stats().Bytes; got > opt.BufferBytes {
				t.Errorf("%d bytes wait", got)
			}
		}
		if s.Healthy() == nil {
			t.Error("healthy without Kafka")
		}
		server.Start()
		record(t, p, 5000)
		closed(t, p)
		h := read(t, server.Broker, opt.Topic)
		h.whole(t, 55000)
		if lost := s.Stats().Lost; h.Lost == 0 || h.Lost != lost {
			t.Errorf("topic tells of %d lost, the sink of %d", h.Lost, lost)
		}
		for _, st := range h.Streams {
			if len(st.Gaps) > 1 {
				t.Errorf("partition %d has gaps %v", st.Partition, st.Gaps)
			}
		}
	})
}

func TestCloseWithoutKafkaSaysHowManyWereNotDelivered(t *testing.T) {
	s := newSink(t, kafka.Options{Brokers: []string{nobody(t)}, Topic: "t", Partitions: 3})
	p := started("a", s, event.Options{PartitionWait: -1})
	record(t, p, 100)
	until(t, "it is noticed", func() bool { return s.Healthy() != nil })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := p.Close(ctx)
	if err == nil || !strings.Contains(err.Error(), "103 events not delivered") || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close says %v", err)
	}
}

func TestMemoryIsBoundedWithoutKafka(t *testing.T) {
	const budget = 256 << 10
	s := newSink(t, kafka.Options{Brokers: []string{nobody(t)}, Topic: "t", Partitions: 20, BufferBytes: budget})
	p := started("a", s, event.Options{PartitionWait: -1, QueueBytes: 1 << 30})
	for range 5 {
		record(t, p, 4000)
		if got := s.Stats(); got.Bytes > budget {
			t.Errorf("%d bytes wait, above the budget", got.Bytes)
		}
	}
	if got := s.Stats(); got.Lost == 0 || got.Lost >= 20000 || p.Stats().Refused != 0 {
		t.Errorf("lost %d, refused %d", got.Lost, p.Stats().Refused)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("close says %v", err)
	}
}

// nobody returns an address that nothing listens on.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestWrongOptionsAreAllNamed(t *testing.T) {
	_, err := kafka.New(kafka.Options{BufferBytes: 1, Partitions: -1})
	for _, want := range []string{"brokers", "topic", "256 KiB", "below 0"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}
