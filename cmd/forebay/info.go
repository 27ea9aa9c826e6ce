package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"forebay/internal/metric"
)

// info appends Forebay's section of INFO. It is called with a client's lock held: it takes none that a client may hold and
// waits for nothing.
func (n *node) info(b []byte) []byte {
	s := n.metrics.Snapshot()
	// The events' counts follow within about 50 ms; these two hold every read that was answered before.
	hits, misses := n.front.Reads()
	hits, misses = hits+n.reads.hits.Load(), misses+n.reads.misses.Load()
	held := n.near.Stats()
	up := func(is bool) int {
		if is {
			return 1
		}
		return 0
	}
	for _, line := range []struct {
		name  string
		value any
	}{
		{"version", version},
		{"uptime_seconds", int64(time.Since(n.began).Seconds())},
		{"hits", hits},
		{"misses", misses},
		{"loads", s.All.Total.Loads},
		{"fills", s.All.Total.Fills},
		{"evictions", s.All.Total.Evictions},
		{"events_lost", s.EventsLost},
		{"connected_clients", n.front.Clients()},
		{"near_bytes", held.Bytes},
		{"near_entries", held.Entries},
		{"near_hits", held.Hits},
		{"routes", len(n.routes.Routes())},
		{"source_up", up(n.sourceUp.Load())},
		{"kafka_up", up(n.kafkaUp())},
	} {
		b = fmt.Appendf(b, "forebay_%s:%v\r\n", line.name, line.value)
	}
	return b
}

func (n *node) kafkaUp() bool { return n.kafka != nil && n.kafka.Healthy() == nil }

// memory is what Redis last said of its own.
type memory struct {
	used, most atomic.Int64
	known      atomic.Bool
}

func (m *memory) get() (used, most int64, ok bool) {
	return m.used.Load(), m.most.Load(), m.known.Load()
}

// startGauges registers what is asked for at each scrape, and begins to follow what can only be learnt by asking.
func (n *node) startGauges() error {
	backends := []metric.Backend{{Name: "redis", Up: n.redis.Up}, {Name: n.source.name, Up: n.sourceUp.Load}}
	if n.kafka != nil {
		backends = append(backends, metric.Backend{Name: "kafka", Up: n.kafkaUp})
	}
	err := n.metrics.RegisterGauges(metric.Gauges{
		NearBytes:        func() int64 { return n.near.Stats().Bytes },
		RedisMemory:      n.memory.get,
		RedisReplaced:    n.pool.Replaced,
		ConnectedClients: func() int64 { return int64(n.front.Clients()) },
		Backends:         backends,
		Loads:            n.loadGauges,
	})
	if err != nil {
		return err
	}
	n.up.push("figures", closed(background(n.follow)))
	return nil
}

// followEvery is the time between two looks at figures that do not come by themselves; every fifth asks the backends.
const followEvery = time.Second

// follow keeps those figures until ctx ends.
func (n *node) follow(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	coalesced := [...]func() int64{
		metric.Process: n.engine.Coalesced, metric.Fleet: n.engine.CoalescedFleet, metric.Query: n.engine.CoalescedQuery,
	}
	var counted [len(coalesced)]int64
	var lost int64
	for i := 0; ; i++ {
		if i%5 == 0 {
			n.askBackends(ctx)
		} else if n.gate != nil {
			n.askMemory(ctx)
		}
		for scope, count := range coalesced {
			now := count()
			n.metrics.Coalesced(metric.Scope(scope), int(now-counted[scope]))
			counted[scope] = now
		}
		if now := n.lostInSinks(); now > lost {
			n.metrics.Lost(int(now - lost))
			lost = now
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// lostInSinks counts events that a sink lost after the pipeline had counted them as events: its gaps are in its own stream only.
func (n *node) lostInSinks() int64 {
	lost := n.events.Stats().Refused
	if n.kafka != nil {
		lost += n.kafka.Stats().Lost
	}
	return lost
}

func (n *node) askBackends(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, followEvery)
	defer cancel()
	n.sourceUp.Store(n.source.Ping(ctx) == nil)
	n.askMemory(ctx)
}

// askMemory asks Redis how much of its memory is in use.
func (n *node) askMemory(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, followEvery)
	defer cancel()
	if !n.redis.Up() {
		n.memory.known.Store(false)
		return
	}
	mark := int64(0)
	if n.gate != nil {
		mark = n.gate.Mark()
	}
	used, most, err := n.redis.Memory(ctx)
	if n.gate != nil && err == nil {
		n.gate.Told(used, most, mark)
	}
	n.memory.used.Store(used)
	n.memory.most.Store(most)
	n.memory.known.Store(err == nil)
}
