package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// watchTopic looks for the topic until it is known, then now and then, until ctx ends.
func (s *Sink) watchTopic(ctx context.Context) {
	pause := s.opt.MinBackoff
	for {
		n, err := s.findTopic(ctx)
		if ctx.Err() != nil {
			return
		}
		s.foundTopic(n, err)
		wait := s.opt.TopicEvery
		if err != nil {
			wait = pause
			pause = min(2*pause, s.opt.MaxBackoff)
		} else {
			pause = s.opt.MinBackoff
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.kick:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// findTopic returns the topic's number of partitions, creating it first if it is absent.
func (s *Sink) findTopic(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opt.RequestTimeout)
	defer cancel()
	n, err := s.describe(ctx)
	if err == nil || !errors.Is(err, kafka.UnknownTopicOrPartition) || s.opt.NoCreate {
		return n, err
	}
	if err := s.create(ctx); err != nil {
		return 0, err
	}
	return s.describe(ctx)
}

func (s *Sink) describe(ctx context.Context) (int, error) {
	meta, err := s.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{s.opt.Topic}})
	if err != nil {
		return 0, fmt.Errorf("look for topic %s: %w", s.opt.Topic, err)
	}
	for _, t := range meta.Topics {
		if t.Name != s.opt.Topic {
			continue
		}
		if t.Error != nil {
			return 0, fmt.Errorf("look for topic %s: %w", s.opt.Topic, t.Error)
		}
		if len(t.Partitions) > 0 {
			return len(t.Partitions), nil
		}
	}
	return 0, fmt.Errorf("look for topic %s: %w", s.opt.Topic, kafka.UnknownTopicOrPartition)
}

// create creates the topic. That another process did so meanwhile is no error.
func (s *Sink) create(ctx context.Context) error {
	topic := kafka.TopicConfig{Topic: s.opt.Topic, NumPartitions: s.opt.Partitions, ReplicationFactor: s.opt.Replication}
	if topic.ReplicationFactor == 0 {
		topic.ReplicationFactor = -1 // the broker's default, since Kafka 2.4
	}
	if s.opt.Retention > 0 {
		ms := strconv.FormatInt(s.opt.Retention.Milliseconds(), 10)
		topic.ConfigEntries = []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: ms}}
	}
	res, err := s.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err == nil {
		err = res.Errors[s.opt.Topic]
	}
	if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", s.opt.Topic, err)
	}
	if err == nil {
		s.opt.Log.Info("kafka topic created", "topic", s.opt.Topic, "partitions", s.opt.Partitions)
	}
	return nil
}

// foundTopic notes what was found and tells the pipeline of a new number. What is known stays when Kafka goes away.
func (s *Sink) foundTopic(n int, err error) {
	s.mu.Lock()
	if err != nil {
		if s.topicErr == nil {
			s.opt.Log.Warn("kafka topic not found", "topic", s.opt.Topic, "error", err)
		}
		s.topicErr = err
		s.mu.Unlock()
		return
	}
	before, notify := s.partitions, s.notify
	s.partitions, s.topicErr = n, nil
	s.mu.Unlock()
	if before == n {
		return
	}
	if before == 0 {
		close(s.known)
	}
	s.opt.Log.Info("kafka topic found", "topic", s.opt.Topic, "partitions", n)
	if notify != nil {
		notify(n)
	}
}
