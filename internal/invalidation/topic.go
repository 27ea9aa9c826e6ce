package invalidation

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"forebay/backend"
)

// Topic applies the records of a topic of changed keys. Every proxy reads all of it: what is being loaded, and what Redis could not be told,
// is each one's own. That several remove the same key is harmless.
//
// Why no record is lost: how far the topic was applied is kept in Redis, beside the values ([backend.Positions]).
//
//  1. A proxy ends, and starts again. It goes on from the kept position, at most as far as any proxy has applied.
//  2. Redis does not answer. What is read is kept by the Queue, and the position stays; should the proxy end now, 1 reads it again.
//  3. Redis restarts from a snapshot of an earlier time, and has old values again. It has the old position too, below the one that is
//     known here: the records are read again from there.
//  4. Redis is emptied, or another. There is no position, and no old value: only what comes from now on counts.
//  5. Records were removed from the topic before they were read. All values of all routes are dropped.
type Topic struct {
	Name      string
	Queue     *Queue
	Positions backend.Positions
	Log       *slog.Logger

	mu    sync.Mutex
	known map[int]position
}

// position is of one partition.
type position struct {
	kept int64 // in Redis, as far as is known
	told time.Time
}

// tellEvery is the time between two looks at the position while nothing is read: so soon it is noticed that Redis has gone back in time.
const tellEvery = 5 * time.Second

// Begin tells from where to read a partition.
func (t *Topic) Begin(ctx context.Context, partition int) (offset int64, known bool, err error) {
	return t.Positions.Position(ctx, t.Name, partition)
}

// Record is a record of the topic.
type Record struct{ Key, Value []byte }

// Take applies records and returns from where to go on.
func (t *Topic) Take(ctx context.Context, partition int, records []Record, next int64) (from int64, err error) {
	keys := map[int][][]byte{}
	for _, r := range records {
		changes, err := Parse(t.Queue.opt.Routes, r.Key, r.Value)
		if err != nil {
			t.Log.Warn("invalidation is not understood", "topic", t.Name, "partition", partition, "error", err)
		}
		for _, c := range changes {
			if c.Key == nil {
				t.Queue.Route(ctx, c.Route)
				continue
			}
			keys[c.DB] = append(keys[c.DB], c.Key)
		}
	}
	for db, list := range keys {
		t.Queue.Keys(ctx, db, list)
	}
	if ctx.Err() != nil {
		return 0, fmt.Errorf("apply invalidations: %w", ctx.Err())
	}
	return t.advance(ctx, partition, len(records) > 0, next), nil
}

// advance keeps the position if all that was read is applied, and tells from where to go on.
func (t *Topic) advance(ctx context.Context, partition int, news bool, next int64) (from int64) {
	t.mu.Lock()
	was, ok := t.known[partition]
	t.mu.Unlock()
	if !ok {
		was.kept = -1
	}
	if t.Queue.Pending() || ok && !news && time.Since(was.told) < tellEvery {
		return next
	}
	kept, err := t.Positions.Advance(ctx, t.Name, partition, was.kept, next)
	if err != nil {
		return next // it is read again after a restart
	}
	t.mu.Lock()
	if t.known == nil {
		t.known = map[int]position{}
	}
	t.known[partition] = position{kept, time.Now()}
	t.mu.Unlock()
	if kept < was.kept {
		t.Log.Warn("redis has gone back in time: invalidations are read again", "topic", t.Name, "partition", partition, "from", kept)
		return min(kept, next)
	}
	return next
}

// Lost drops everything: nobody knows what was in the records that have gone.
func (t *Topic) Lost(ctx context.Context, _ int) error {
	for _, r := range t.Queue.opt.Routes.Routes() {
		t.Queue.Route(ctx, r)
	}
	return nil
}
