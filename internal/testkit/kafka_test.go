package testkit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"forebay/internal/testkit"
)

func client(t *testing.T, broker string) *kafka.Client {
	transport := &kafka.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(broker), Timeout: 20 * time.Second, Transport: transport}
}

func create(t *testing.T, c *kafka.Client, topic string, partitions int) {
	t.Helper()
	res, err := c.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}},
	})
	if err == nil {
		err = res.Errors[topic]
	}
	if err != nil {
		t.Fatalf("create topic: %v", err)
	}
}

// produce writes a record, again while the new topic has no leader yet.
func produce(t *testing.T, c *kafka.Client, topic string, partition int, value string) {
	t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		var res *kafka.ProduceResponse
		res, err = c.Produce(t.Context(), &kafka.ProduceRequest{
			Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte(value))}),
		})
		if err == nil {
			err = res.Error
		}
		if err == nil {
			return
		}
	}
	t.Fatalf("produce: %v", err)
}

func TestReadTopicReadsAllPartitionsOnce(t *testing.T) {
	broker := testkit.Kafka(t).Broker
	topic := testkit.Topic(t)
	c := client(t, broker)
	create(t, c, topic, 3)
	for i := range 30 {
		produce(t, c, topic, i%3, fmt.Sprintf("{\"n\":%d}\n{\"m\":%d}\n", i, i))
	}
	lines := testkit.ReadTopic(t, broker, topic, func(lines [][]byte) bool { return len(lines) >= 60 })
	seen := map[string]int{}
	last := [3]int{-1, -1, -1}
	for _, line := range lines {
		seen[string(line)]++
		var n int
		if _, err := fmt.Sscanf(string(line), `{"n":%d}`, &n); err == nil {
			if n <= last[n%3] {
				t.Errorf("partition %d: %d after %d", n%3, n, last[n%3])
			}
			last[n%3] = n
		}
	}
	if len(lines) != 60 || len(seen) != 60 {
		t.Errorf("%d lines, %d of them different; want 60", len(lines), len(seen))
	}
}

func TestReadTopicWaitsForTheTopic(t *testing.T) {
	broker := testkit.Kafka(t).Broker
	topic := testkit.Topic(t)
	c := client(t, broker)
	rounds := 0
	lines := testkit.ReadTopic(t, broker, topic, func(lines [][]byte) bool {
		if rounds++; rounds == 2 { // it has looked once
			create(t, c, topic, 1)
			produce(t, c, topic, 0, "late")
		}
		return len(lines) > 0
	})
	if len(lines) != 1 || string(lines[0]) != "late" {
		t.Errorf("lines %q", lines)
	}
}

func TestNewKafkaKeepsDataOverStop(t *testing.T) {
	t.Parallel() // it mostly waits
	server := testkit.NewKafka(t)
	topic := testkit.Topic(t)
	c := client(t, server.Broker)
	create(t, c, topic, 1)
	produce(t, c, topic, 0, "before")
	server.Stop()
	server.Start()
	server.Pause()
	server.Resume()
	produce(t, client(t, server.Broker), topic, 0, "after")
	lines := testkit.ReadTopic(t, server.Broker, topic, func(lines [][]byte) bool { return len(lines) >= 2 })
	if got := fmt.Sprintf("%s", lines); got != "[before after]" {
		t.Errorf("lines %s", got)
	}
}
