package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forebay/backend"
	"forebay/internal/check"
	"forebay/internal/event"
)

// An object is one large value in chunk rows (see backend.Object). Its flight:
//
//  1. Redis is asked whether it holds the key, not for the value. If it does, readers go there.
//  2. The header tells version, chunks, bytes and checksum; the chunks follow in order, a few ahead, and must agree with
//     it. If they do not, the object was perhaps rewritten and its old version removed meanwhile: the flight begins again at the
//     header, once. All chunks are of the header's version, so that it is the old value or the new one, never a mix.
//  3. Up to smallObject it goes the way of ordinary values. A larger one goes to Redis as it is read, to a stage that nobody sees
//     (objectstage.go): the flight holds the chunks read ahead (objectread.go), whatever the object's size. The flight is sealed and the stage becomes the
//     key's value, if the key is absent. Readers get Result.Stored and ask Redis.
//  4. If Redis is down, has no memory for it or refuses it otherwise, even at the last step, or is not to be filled, the object is gathered in memory,
//     once, for all readers.
//
// A client's write while the object is staged drops the flight like any other (flight.go), which sees it at its next batch of chunks and aborts:
//
//  1. F has staged half of v1. W calls fence: F is not sealed, it is dropped and forgotten. W's write goes to Redis.
//  2. R begins F2, with a stage of its own: stages have unique names.
//  3. F sees that it was dropped, or does when it seals: it never commits. Its readers look again, and join F2.
//
// A fence waits for a sealed flight only, and so for the commit, one script, but not for the streaming.
//
// Time: a flight has objectTime, which grows with the object; its readers have their budget all the same. One whose time is over gets
// backend.ErrSourceTimeout and the load goes on; when it comes back, it joins the flight or finds the value in Redis.
const (
	// smallObject is the most bytes that are stored in one command: what Redis takes without a pause that others would notice.
	smallObject = 256 << 10
	// maxObject is the most bytes of a string in Redis (proto-max-bulk-len).
	maxObject = 512 << 20
	// maxObjects is how many objects are read at once, each with up to readAhead bytes under way. More wait within the budget of a request.
	maxObjects = 8
)

// objectTime is how long one reading of an object may take: 10 s for what goes wrong and passes by itself (a node that times out, a
// garbage collection), and 1 s per 4 MiB, which is a thirtieth of what one Cassandra gives to one reader. 47 MB: 21 s; 512 MiB: 138 s. It is
// not longer since a flight that hangs keeps its key from being loaded by another.
func objectTime(bytes int64) time.Duration {
	return 10*time.Second + time.Duration(bytes/(4<<20))*time.Second
}

// errStale ends the reading of an object that a client is about to write.
var errStale = errors.New("the key is being written")

// objects is what the loads of objects share.
type objects struct {
	stager backend.Stager // nil: the store takes none piece by piece
	leave  chan struct{}  // one per object under way
	room   *room          // of what is gathered in memory
}

func newObjects(store backend.Store) objects {
	stager, _ := store.(backend.Stager)
	return objects{stager, make(chan struct{}, maxObjects), newRoom(maxGathered)}
}

// objectFlight is the load of one object.
type objectFlight struct {
	*load
	engine *Engine
	up     bool  // Redis answers
	fill   bool  // the value is to be stored
	stage  bool  // …piece by piece
	why    error // why it could not be
	held   int64 // bytes of room
	object backend.Object
	staged backend.Stage // open, or nil
	unkeep func()        // ends the keeping of the lease
}

// flyObject ends l: from Redis, from the source, or with an error.
func (e *Engine) flyObject(l *load, mode Mode) {
	f := &objectFlight{load: l, engine: e, up: e.usable(e.ctx)}
	defer e.giveUp(l)
	if f.up && !mode.NoLook && f.look(&mode) {
		return
	}
	f.fill = f.up && !mode.NoFill
	f.stage = f.fill && e.objects.stager != nil
	f.keep()
	defer func() { f.unkeep() }()
	ctx, cancel := context.WithTimeout(e.ctx, e.opts.Budget)
	err := e.enter(ctx)
	cancel()
	if err != nil {
		e.end(l, outcome{err: err})
		return
	}
	defer func() { <-e.objects.leave }()
	defer func() { e.objects.room.give(f.held) }()
	switch err := f.run(); {
	case l.ended:
	case errors.Is(err, errStale):
		e.end(l, outcome{again: true})
	default:
		l.err = err
		e.finish(e.ctx, l.db, []*load{l}, f.fill)
	}
}

// enter waits for leave to read an object.
func (e *Engine) enter(ctx context.Context) error {
	select {
	case e.objects.leave <- struct{}{}:
		return nil
	case <-ctx.Done():
		if e.ctx.Err() != nil {
			return ErrClosed
		}
		return fmt.Errorf("%w: %d objects were being loaded for the whole budget", backend.ErrSourceTimeout, maxObjects)
	}
}

// run reads the object, again where that may help. It ends the load, or leaves its value or its absence for the ordinary way.
func (f *objectFlight) run() error {
	for anew := false; ; {
		err := f.attempt()
		var refused *refusedError
		switch {
		case err == nil || f.ended:
			return nil
		case errors.As(err, &refused) && f.stage:
			f.stage, f.fill, f.why = false, false, refused.err
			f.up = !errors.Is(refused.err, backend.ErrStoreDown)
			f.tellFill(refused.err)
		case isFinding(err) && !anew:
			anew = true
			finding, _ := errors.AsType[*check.Error](err)
			f.engine.tell(f.load, event.FromSource, finding)
		case errors.Is(err, backend.ErrDamaged) && !anew:
			anew = true
			f.engine.opts.Log.Warn("object damaged, or rewritten while it was read: reading it anew", "route", f.route.Name, "error", err)
		default:
			return err
		}
	}
}

// attempt reads the object once, and records the one load that this is.
func (f *objectFlight) attempt() error {
	start := time.Now()
	ev := event.Event{Kind: event.Load, Route: f.route.Name}
	asked, err := f.read(&ev)
	if err != nil && f.engine.ctx.Err() != nil {
		err = ErrClosed // what the driver made of it would blame the source
	}
	if !asked {
		return err
	}
	if err != nil {
		ev.Error = err.Error()
	}
	ev.Duration = time.Since(start)
	f.engine.opts.Record(&ev)
	return f.settle(err)
}
