package cache

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"forebay/backend"
	"forebay/internal/event"
	"forebay/internal/route"
)

const (
	// batchBytes is how much one query for chunks asks for, about: 4 chunks of 256 KiB.
	batchBytes = 1 << 20
	// batchesAhead is how many queries are under way while the chunks of another are handed on: with that one, 12 chunks of 256 KiB. Two keep
	// Cassandra and Redis busy at once; more only fill memory, as Redis takes one chunk at a time.
	batchesAhead = 2
	// maxChunk is the most bytes of a chunk: what Cassandra takes in one mutation.
	maxChunk = 16 << 20
)

// read reads the object whole, to where it is to go, and tells whether the source was asked.
func (f *objectFlight) read(ev *event.Event) (asked bool, err error) {
	f.value = nil
	o, found, asked, err := f.header()
	if err != nil || !found {
		return asked, err
	}
	if o.Bytes > maxObject || o.Bytes/max(o.Chunks, 1) > maxChunk {
		return true, fmt.Errorf("%w: the object has %d bytes in %d chunks, and at most %d in all and %d a chunk are served",
			backend.ErrSourceInvalid, o.Bytes, o.Chunks, maxObject, maxChunk)
	}
	f.object = o
	head, err := f.newHead()
	if err != nil {
		return true, err
	}
	ctx, cancel := context.WithTimeout(f.engine.ctx, objectTime(o.Bytes))
	defer cancel()
	take, err := f.target(ctx)
	if err != nil {
		return true, err
	}
	assembly := o.Assembly()
	err = f.chunks(ctx, func(chunk int64, data []byte) error {
		if err := assembly.Add(chunk, data); err != nil {
			return err
		}
		if err := head.add(data); err != nil {
			return err
		}
		ev.Rows++
		ev.Bytes += int64(len(data))
		return take(ctx, data)
	})
	if err == nil {
		err = assembly.End()
	}
	if err == nil {
		err = head.end()
	}
	if errors.Is(err, backend.ErrDamaged) {
		err = fmt.Errorf("%w: version %s: %w", backend.ErrSourceInvalid, o.Version, err)
	}
	return true, err
}

// header reads the object's row. asked is false if the source need not or could not be.
func (f *objectFlight) header() (o backend.Object, found, asked bool, err error) {
	e := f.engine
	ctx, cancel := context.WithTimeout(e.ctx, e.opts.Budget)
	defer cancel()
	f.err = nil
	if !e.locate(f.load) {
		return o, false, false, f.err
	}
	if err := e.acquire(ctx); err != nil {
		return o, false, false, err
	}
	defer func() { <-e.slots }()
	err = e.opts.Source.Load(ctx, f.lookup.Select, f.lookup.Where, nil, func(_ int, row backend.Row) (err error) {
		o, found, err = f.route.Object(row)
		return err
	})
	return o, found, !errors.Is(err, backend.ErrNotAsked), err
}

// fetched is the answer to one query for chunks.
type fetched struct {
	from int64
	data [][]byte // of chunk from and those that follow; nil for one that is not there
	err  error
}

// chunks hands on the object's chunks in order, while the next are on their way. data is each's own. It looks between two queries whether the
// flight was dropped.
func (f *objectFlight) chunks(ctx context.Context, each func(chunk int64, data []byte) error) error {
	next, stop := iter.Pull(f.object.Batches(min(max(batchBytes*f.object.Chunks/max(f.object.Bytes, 1), 1), route.MaxIn)))
	defer stop()
	var under sync.WaitGroup
	defer under.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // before the wait: what is still read ahead is of no use any more
	var ahead []<-chan fetched
	ask := func() {
		if r, more := next(); more {
			answer := make(chan fetched, 1)
			ahead = append(ahead, answer)
			under.Go(func() { answer <- f.fetch(ctx, r) })
		}
	}
	for range batchesAhead {
		ask()
	}
	for len(ahead) > 0 {
		got := <-ahead[0]
		ahead = ahead[1:]
		if f.engine.flights.stale(f.flight) {
			return errStale
		}
		if got.err != nil {
			return got.err
		}
		ask()
		for i, data := range got.data {
			at := got.from + int64(i)
			if data == nil {
				return fmt.Errorf("%w: chunk %d of %d is missing", backend.ErrDamaged, at, f.object.Chunks)
			}
			if err := each(at, data); err != nil {
				return err
			}
			got.data[i] = nil // Redis has it: the rest of the batch need not keep it
		}
	}
	return nil
}

// fetch asks for some chunks. Each query needs leave like any other, so that a long object does not keep others out.
func (f *objectFlight) fetch(ctx context.Context, r backend.ChunkRange) fetched {
	got := fetched{from: r.From, data: make([][]byte, r.To-r.From)}
	in := make([]any, len(got.data))
	for i := range in {
		in[i] = r.From + int64(i)
	}
	if got.err = f.engine.acquire(ctx); got.err != nil {
		return got
	}
	defer func() { <-f.engine.slots }()
	sel, where := f.lookup.ChunkQuery(r.Version)
	got.err = f.engine.opts.Source.Load(ctx, sel, where, in, func(i int, row backend.Row) error {
		got.data[i], _ = row[0].([]byte)
		return nil
	})
	return got
}
