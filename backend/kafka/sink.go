package kafka

import (
	"context"
	"fmt"
	"sync"

	"forebay/internal/event"

	"github.com/segmentio/kafka-go"
)

// Sink writes events to one topic. Its methods are safe for concurrent use.
type Sink struct {
	opt    Options
	client *kafka.Client
	dials  *dialer
	stop   context.CancelFunc
	kick   chan struct{} // one token: look at the topic now
	known  chan struct{} // closed when the topic's partitions are first known
	drain  chan struct{} // closed by Close: send what is there, without lingering
	topic  sync.WaitGroup
	sends  sync.WaitGroup

	mu         sync.Mutex
	lanes      map[int]*lane
	start      func(l *lane) // starts a lane's sender
	used       int64         // bytes of packs' buffers
	order      uint64        // of the newest pack
	partitions int           // the topic's; 0: not known
	topicErr   error
	notify     func(n int)
	spare      [][]byte
	sent, lost int64
	retries    int64
	closing    bool
}

var (
	_ event.Sink        = (*Sink)(nil)
	_ event.Partitioned = (*Sink)(nil)
)

// New returns a sink that looks for its topic in the background: Kafka need not be there yet. Close ends it. The error names
// every option that is wrong.
func New(opt Options) (*Sink, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("configure kafka sink: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Sink{
		opt:   opt,
		dials: &dialer{},
		stop:  stop,
		kick:  make(chan struct{}, 1),
		known: make(chan struct{}),
		drain: make(chan struct{}),
		lanes: make(map[int]*lane),
	}
	s.client = &kafka.Client{Addr: kafka.TCP(opt.Brokers...), Transport: newTransport(opt, s.dials)}
	s.start = func(l *lane) { s.sends.Go(func() { s.sendLane(ctx, l) }) }
	s.topic.Go(func() { s.watchTopic(ctx) })
	return s, nil
}

// Name is "kafka".
func (s *Sink) Name() string { return "kafka" }

// Write takes b. It refuses only after Close: a full budget costs the oldest packs, not the newest.
func (s *Sink) Write(b event.Batch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	l, ok := s.lanes[b.Partition]
	if !ok {
		l = newLane(b.Partition)
		s.lanes[b.Partition] = l
		s.start(l)
	}
	s.put(l, b)
	for s.used > s.opt.BufferBytes && s.dropOldest() {
	}
	l.signal()
	return true
}

// Healthy is nil while the topic is known and each partition's last request succeeded.
func (s *Sink) Healthy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.topicErr != nil {
		return s.topicErr
	}
	for _, l := range s.lanes {
		if l.err != nil {
			return l.err
		}
	}
	return nil
}

// Stats are the sink's own figures.
type Stats struct {
	Bytes   int64 // of buffers that wait or are in requests
	Sent    int64 // seqs that Kafka acknowledged, those of gaps included
	Lost    int64 // seqs dropped here and told of by gaps
	Retries int64 // requests that failed
}

// Stats returns the present figures.
func (s *Sink) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{Bytes: s.used, Sent: s.sent, Lost: s.lost, Retries: s.retries}
}

// Partitions waits until the topic's number of partitions is known. When ctx ends first it is the configured one.
func (s *Sink) Partitions(ctx context.Context) int {
	select {
	case <-s.known:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.partitions == 0 {
		return s.opt.Partitions
	}
	return s.partitions
}

// OnPartitions sets what is told of the topic's number of partitions; at once, if it is known.
func (s *Sink) OnPartitions(f func(n int)) {
	s.mu.Lock()
	s.notify = f
	n := s.partitions
	s.mu.Unlock()
	if n > 0 {
		f(n)
	}
}

// Close sends what waits until ctx ends and closes the connections. The error says how many events are not known to have arrived.
// A second Close returns nil.
func (s *Sink) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil
	}
	s.closing = true
	close(s.drain)
	s.mu.Unlock()

	sent := make(chan struct{})
	go func() {
		s.sends.Wait()
		close(sent)
	}()
	select {
	case <-sent:
	case <-ctx.Done():
	}
	s.stop() // senders that are not done give up, and the topic is no longer looked at
	<-sent
	s.topic.Wait()
	s.client.Transport.(*kafka.Transport).CloseIdleConnections()
	s.dials.close()

	s.mu.Lock()
	defer s.mu.Unlock()
	var left int64
	for _, l := range s.lanes {
		for _, p := range l.packs {
			left += p.Count
		}
	}
	if left > 0 {
		return fmt.Errorf("close kafka sink: %d events not delivered: %w", left, ctx.Err())
	}
	return nil
}
