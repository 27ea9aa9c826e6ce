package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"forebay/internal/event"

	"github.com/segmentio/kafka-go"
)

// sendLane sends one partition's packs until the sink is closed and they are gone, or ctx ends.
func (s *Sink) sendLane(ctx context.Context, l *lane) {
	select {
	case <-s.known:
	case <-ctx.Done():
		return
	}
	pause := s.opt.MinBackoff
	for s.awaitDue(ctx, l) {
		packs, target := s.take(l)
		err := s.produce(ctx, target, packs)
		if ctx.Err() != nil && err != nil {
			return
		}
		s.settle(l, len(packs), err)
		if err == nil {
			pause = s.opt.MinBackoff
			continue
		}
		if !sleep(ctx, pause/2+rand.N(pause)/2) {
			return
		}
		pause = min(2*pause, s.opt.MaxBackoff)
	}
}

// awaitDue waits until there is something to send now. It reports false when there never will be.
func (s *Sink) awaitDue(ctx context.Context, l *lane) bool {
	for {
		wait, more := s.due(l)
		switch {
		case ctx.Err() != nil || !more:
			return false
		case wait == 0:
			return true
		}
		timer := time.NewTimer(wait)
		draining := s.drain
		select {
		case <-l.wake:
		case <-timer.C:
		case <-draining:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// due returns how long the lane's first pack may still linger; more is false when nothing is left and nothing will come.
func (s *Sink) due(l *lane) (wait time.Duration, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const idle = time.Hour // woken by the next write
	switch {
	case len(l.packs) == 0:
		return idle, !s.closing
	case len(l.packs) > 1 || s.closing || l.packs[0].sealed || len(l.packs[0].Lines) >= event.MaxBatch/2:
		return 0, true
	}
	return max(0, s.opt.Linger-time.Since(l.packs[0].at)), true
}

// take marks the lane's first packs as in a request.
func (s *Sink) take(l *lane) (packs []*pack, target int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.flying = min(len(l.packs), l.limit)
	packs = append(packs, l.packs[:l.flying]...)
	for _, p := range packs {
		p.sealed = true
	}
	return packs, l.partition % s.partitions
}

// noteworthy is how many failures in a row are logged: one alone is routine where a leader moves or a topic is new.
const noteworthy = 2

// settle ends a request.
func (s *Sink) settle(l *lane, n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.flying = 0
	if err == nil {
		if l.failures >= noteworthy {
			s.opt.Log.Info("kafka takes events again", "topic", s.opt.Topic, "partition", l.partition)
		}
		l.err, l.failures, l.limit = nil, 0, requestPacks
		s.arrived(l, n)
		return
	}
	if l.failures++; l.failures == noteworthy {
		s.opt.Log.Warn("kafka does not take events", "topic", s.opt.Topic, "partition", l.partition, "error", err)
	}
	l.err = err
	s.retries++
	for _, p := range l.packs[:n] {
		p.retried = true
	}
	switch {
	case !tooLarge(err):
	case n > 1:
		l.limit = 1 // one of them: find out which
	case !l.packs[0].gap():
		s.drop(l, 0) // it will never be taken
	}
	if unknownTopic(err) {
		select {
		case s.kick <- struct{}{}:
		default:
		}
	}
}

// produce sends packs as one request to one partition of the topic.
func (s *Sink) produce(ctx context.Context, target int, packs []*pack) error {
	records := make([]kafka.Record, len(packs))
	for i, p := range packs {
		records[i] = record(p)
	}
	ctx, cancel := context.WithTimeout(ctx, s.opt.RequestTimeout)
	defer cancel()
	res, err := s.client.Produce(ctx, &kafka.ProduceRequest{
		Topic:        s.opt.Topic,
		Partition:    target,
		RequiredAcks: kafka.RequireAll,
		Records:      kafka.NewRecordReader(records...),
		Compression:  kafka.Lz4,
	})
	if err == nil {
		err = res.Error
	}
	if err == nil && len(res.RecordErrors) > 0 {
		err = fmt.Errorf("%d records refused", len(res.RecordErrors))
	}
	if err != nil {
		return fmt.Errorf("produce to %s/%d: %w", s.opt.Topic, target, err)
	}
	return nil
}

// record is p as Kafka gets it.
func record(p *pack) kafka.Record {
	value := p.Lines
	if p.gap() {
		value = event.AppendGap(nil, p.Batch, "kafka", time.Now())
	}
	number := func(n int64) []byte { return strconv.AppendInt(nil, n, 10) }
	return kafka.Record{
		Time:  p.at,
		Value: kafka.NewBytes(value),
		Headers: []kafka.Header{
			{Key: "proxy", Value: []byte(p.Proxy)},
			{Key: "boot", Value: number(p.Boot)},
			{Key: "partition", Value: number(int64(p.Partition))},
			{Key: "seq", Value: number(p.First)},
			{Key: "count", Value: number(p.Count)},
			{Key: "content-type", Value: []byte("application/x-ndjson")},
		},
	}
}

func tooLarge(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge)
}

func unknownTopic(err error) bool {
	return errors.Is(err, kafka.UnknownTopicOrPartition) || errors.Is(err, kafka.InvalidTopic)
}

// sleep waits d, or reports false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
