package event

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// shards is the number of internal recorders behind Pipeline.Record.
const shards = 8

// shard is a recorder whose owner is its own mutex.
type shard struct {
	mu  sync.Mutex
	rec *Recorder
}

// Pipeline gives events their seqs and carries them to the hub and the sinks. Its methods are safe for concurrent use.
type Pipeline struct {
	opt     Options
	now     func() time.Time
	buffers bufferPool
	queue   *queue
	hub     *Hub
	shards  [shards]shard

	collecting sync.Mutex // held by whoever collects, so that a Flush waits for a collection under way
	dirtyMu    sync.Mutex
	dirty      []*Recorder
	spareDirty []*Recorder
	dirtied    chan struct{} // one token: the list is not empty any more

	repart    chan struct{} // one token: want changed
	want      atomic.Int64  // partitions asked for
	syncs     chan chan struct{}
	collected chan struct{} // closed after the last collection
	done      chan struct{} // closed when the pump has ended

	lifecycle sync.Mutex
	started   bool
	stop      context.CancelFunc
	closing   sync.Once

	dropped, refused atomic.Int64
	boot, parts      atomic.Int64
}

// New returns a pipeline that records at once and carries from Start on.
func New(opt Options) *Pipeline {
	opt = opt.withDefaults()
	p := &Pipeline{
		opt:       opt,
		now:       opt.Now,
		dirtied:   make(chan struct{}, 1),
		repart:    make(chan struct{}, 1),
		syncs:     make(chan chan struct{}),
		collected: make(chan struct{}),
		done:      make(chan struct{}),
	}
	p.queue = newQueue(&p.buffers, opt.QueueBytes, opt.Partitions)
	p.hub = newHub(opt.Proxy, opt.HubEvents, opt.HubBytes, opt.Now)
	for i := range p.shards {
		p.shards[i].rec = p.NewRecorder(&p.shards[i].mu)
	}
	p.boot.Store(opt.Boot)
	p.parts.Store(int64(opt.Partitions))
	return p
}

// Start starts the collector and the pump. It is called once and does not wait for anything. Close must be called after it.
func (p *Pipeline) Start() {
	p.lifecycle.Lock()
	defer p.lifecycle.Unlock()
	if p.started {
		return
	}
	p.started = true
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	for _, s := range p.opt.Sinks {
		if ps, ok := s.(Partitioned); ok {
			ps.OnPartitions(p.SetPartitions)
		}
	}
	go p.collector(ctx)
	go func() {
		defer close(p.done)
		newPump(p).run(ctx)
	}()
}

// Record records ev, in the session that it names. Any goroutine may call it: events of one key stay in the order of the calls.
func (p *Pipeline) Record(ev *Event) {
	session := cut(ev.Session, MaxName)
	hash := hashOf(ev.Key, session)
	s := &p.shards[(hash>>32)%shards]
	s.mu.Lock()
	s.rec.record(ev, session, hash)
	s.mu.Unlock()
}

// Hub is where recent and live events can be followed.
func (p *Pipeline) Hub() *Hub { return p.hub }

// SetPartitions changes the number of partitions: every partition of the present boot gets its end, and a new boot begins. Nothing
// happens if the number is the present one.
func (p *Pipeline) SetPartitions(n int) {
	if n <= 0 {
		return
	}
	p.want.Store(int64(n))
	select {
	case p.repart <- struct{}{}:
	default:
	}
}

// Stats are the pipeline's own figures.
type Stats struct {
	Boot       int64
	Partitions int
	QueueBytes int64 // in buffers handed over and not yet carried
	Dropped    int64 // events lost because the queue was full
	Refused    int64 // seqs that a sink refused, summed over the sinks
}

// Stats returns the present figures.
func (p *Pipeline) Stats() Stats {
	return Stats{
		Boot: p.boot.Load(), Partitions: int(p.parts.Load()), QueueBytes: p.queue.size(),
		Dropped: p.dropped.Load(), Refused: p.refused.Load(),
	}
}

// Flush carries everything recorded before the call to the hub and the sinks. It takes the locks of recorders' owners: the caller must hold none.
func (p *Pipeline) Flush(ctx context.Context) error {
	p.collect()
	carried := make(chan struct{})
	select {
	case p.syncs <- carried:
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("flush events: %w", ctx.Err())
	}
	<-carried
	return nil
}

// Close stops the pipeline, in this order: what recorders hold is collected; the queue is emptied and later events are nobody's; every
// partition gets its end; the sinks are closed, each until ctx ends; the hub's subscribers get io.EOF. Owners' locks must not be held by the
// caller. The errors are the sinks', and ctx's if it ended before the pump (an owner keeps its lock): the sinks are closed then all the same, and
// refuse what is left.
func (p *Pipeline) Close(ctx context.Context) error {
	p.lifecycle.Lock()
	started := p.started
	p.lifecycle.Unlock()
	if !started {
		return nil
	}
	p.closing.Do(p.stop)
	var late error
	select {
	case <-p.done:
	case <-ctx.Done():
		late = fmt.Errorf("close events: %w", ctx.Err())
	}
	p.hub.close()
	return errors.Join(late, p.closeSinks(ctx))
}

func (p *Pipeline) closeSinks(ctx context.Context) error {
	errs := make([]error, len(p.opt.Sinks))
	var wg sync.WaitGroup
	for i, s := range p.opt.Sinks {
		wg.Go(func() {
			if err := s.Close(ctx); err != nil {
				errs[i] = fmt.Errorf("close %s: %w", s.Name(), err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// markDirty enters r into the list to collect from.
func (p *Pipeline) markDirty(r *Recorder) {
	p.dirtyMu.Lock()
	p.dirty = append(p.dirty, r)
	first := len(p.dirty) == 1
	p.dirtyMu.Unlock()
	if first {
		select {
		case p.dirtied <- struct{}{}:
		default:
		}
	}
}

// collector takes the buffers of recorders that have had one for FlushEvery. It sleeps while nobody records.
func (p *Pipeline) collector(ctx context.Context) {
	defer close(p.collected)
	defer p.collect()
	timer := time.NewTimer(p.opt.FlushEvery)
	defer timer.Stop()
	for {
		select {
		case <-p.dirtied:
		case <-ctx.Done():
			return
		}
		timer.Reset(p.opt.FlushEvery)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		p.collect()
	}
}

// collect hands over what every dirty recorder holds.
func (p *Pipeline) collect() {
	p.collecting.Lock()
	defer p.collecting.Unlock()
	p.dirtyMu.Lock()
	list := p.dirty
	p.dirty = p.spareDirty
	p.dirtyMu.Unlock()
	for i, r := range list {
		r.collect()
		list[i] = nil
	}
	p.dirtyMu.Lock()
	p.spareDirty = list[:0]
	p.dirtyMu.Unlock()
}

// handOver gives b to the queue, whose it is from here on.
func (p *Pipeline) handOver(b *buffer) {
	p.dropped.Add(p.queue.push(b, p.observeAll))
}

// observeAll shows the observer records that are about to be lost.
func (p *Pipeline) observeAll(data []byte) {
	if p.opt.Observe == nil {
		return
	}
	var v View
	for len(data) > 0 {
		n := recordSize(data)
		v.decode(data[:n])
		p.opt.Observe(&v)
		data = data[n:]
	}
}
