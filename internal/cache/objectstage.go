package cache

import (
	"context"
	"errors"

	"forebay/backend"
	"forebay/internal/event"
)

// refusedError means that Redis did not take what was staged.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return "store object: " + e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// target makes what takes the object's chunks: a stage in Redis, or memory.
func (f *objectFlight) target(ctx context.Context) (take func(context.Context, []byte) error, err error) {
	if f.object.Bytes > smallObject {
		if f.stage {
			return f.toStage(ctx)
		}
		if err := f.reserve(ctx); err != nil {
			return nil, err
		}
	}
	f.value = make([]byte, 0, f.object.Bytes)
	return func(_ context.Context, data []byte) error {
		f.value = append(f.value, data...)
		return nil
	}, nil
}

func (f *objectFlight) toStage(ctx context.Context) (take func(context.Context, []byte) error, err error) {
	if f.staged, err = f.engine.objects.stager.Stage(ctx, f.db, []byte(f.key), f.object.Bytes); err != nil {
		f.staged = nil
		return nil, &refusedError{err}
	}
	return func(ctx context.Context, data []byte) error {
		if err := f.staged.Append(ctx, data); err != nil {
			return &refusedError{err}
		}
		return nil
	}, nil
}

// settle ends what was staged: if the reading ended well, as the key's value, and the flight with it; else without a trace. What Redis has
// refused at last leaves a flight that is not sealed, to be gathered in memory: writers must not wait for that.
func (f *objectFlight) settle(err error) error {
	staged := f.staged
	if staged == nil {
		return err
	}
	f.staged = nil
	e := f.engine
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), e.opts.StoreBudget)
	defer cancel()
	switch {
	case err != nil:
		staged.Abort(ctx)
		return err
	case !e.flights.seal(f.flight):
		staged.Abort(ctx)
		return errStale
	}
	stored, err := staged.Commit(ctx, f.lease, ttl(f.route), f.track)
	f.lease = backend.Lease{} // whatever came of it
	switch {
	case errors.Is(err, backend.ErrStoreDown): // and so nobody knows whether it is stored
		f.tellFill(err)
		e.end(f.load, outcome{again: true})
	case err != nil:
		f.flight = e.flights.anew(f.flightKey, f.flight)
		if !f.retake() {
			return nil
		}
		return &refusedError{err}
	case !stored:
		e.end(f.load, outcome{again: true})
	default:
		f.tellFill(nil)
		e.end(f.load, outcome{stored: true, bytes: f.object.Bytes})
	}
	return nil
}

// tellFill records how the object's fill went.
func (f *objectFlight) tellFill(err error) {
	ev := event.Event{Kind: event.Fill, DB: f.db, Key: []byte(f.key), Route: f.route.Name, Bytes: f.object.Bytes}
	if err != nil {
		ev.Error = err.Error()
		if !errors.Is(err, backend.ErrStoreDown) {
			f.engine.opts.Log.Warn("fill refused", "route", f.route.Name, "error", err)
		}
	}
	f.engine.opts.Record(&ev)
}
