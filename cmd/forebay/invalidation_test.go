package main

import (
	"context"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"forebay/internal/testkit"
)

// Every Forebay on a Redis follows the topic, and one that was not running when a record came goes on where all had left off.
func TestTopicOfChangedKeys(t *testing.T) {
	kafka, server, topic := testkit.Kafka(t), testkit.Redis(t), testkit.Topic(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	transport := &kafkago.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &kafkago.Client{Addr: kafkago.TCP(kafka.Broker), Transport: transport}
	if _, err := client.CreateTopics(ctx, &kafkago.CreateTopicsRequest{
		Topics: []kafkago.TopicConfig{{Topic: topic, NumPartitions: 2, ReplicationFactor: 1}},
	}); err != nil {
		t.Fatal(err)
	}
	say := func(partition int, key, value string) {
		t.Helper()
		eventually(t, "the record is written", func() bool {
			res, err := client.Produce(ctx, &kafkago.ProduceRequest{
				Topic: topic, Partition: partition, RequiredAcks: kafkago.RequireAll,
				Records: kafkago.NewRecordReader(kafkago.Record{Key: kafkago.NewBytes([]byte(key)), Value: kafkago.NewBytes([]byte(value))}),
			})
			return err == nil && res.Error == nil
		})
	}
	say(0, "", "digits:train:1") // before anybody reads: of no interest
	args := []string{
		"--redis.address=" + server.Addr, "--source.embedded=true", "--invalidate.kafka.brokers=" + kafka.Broker, "--invalidate.kafka.topic=" + topic,
	}
	a, b := serve(t, args...), serve(t, args...)
	ca, cb := a.client(t), b.client(t)
	good := ca.Get(ctx, "digits:train:1").Val()
	if len(good) < 64 {
		t.Fatalf("got %q", good)
	}
	eventually(t, "the place in the topic is kept", func() bool {
		n, _ := server.Do(t, "HLEN", "__forebay:position:"+topic).(int64)
		return n == 2
	})
	for partition, value := range []string{"digits:train:1", `{"route":"digits","values":{"split":"train","idx":1}}`} {
		server.Do(t, "SET", "digits:train:1", "stale")
		if got := ca.Get(ctx, "digits:train:1").Val(); got != "stale" {
			t.Fatalf("got %q", got)
		}
		say(partition, "", value)
		eventually(t, "the value is dropped and loaded anew", func() bool {
			return ca.Get(ctx, "digits:train:1").Val() == good && cb.Get(ctx, "digits:train:1").Val() == good
		})
	}
	a.stop(t)
	b.stop(t)
	server.Do(t, "SET", "digits:train:1", "stale")
	say(1, "digits:train:1", "")
	began := time.Now()
	c := serve(t, args...).client(t)
	eventually(t, "what was said meanwhile is done", func() bool { return c.Get(ctx, "digits:train:1").Val() == good })
	t.Logf("after %v", time.Since(began).Round(time.Millisecond))
}
