package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forebay/backend"
)

// objectPatience is how long a flight waits for another process that loads its object: as long as one of 250 MB may take. Its readers have their budgets.
const objectPatience = time.Minute

// errUnleased means that Redis has said nothing of the key.
var errUnleased = errors.New("no lease")

// look ends the load if Redis holds the key by now, or knows that there is no such object; else it takes the lease. What is there is not handed
// out, so it may be older than some reader: who asks Redis for it sees what is there then.
func (f *objectFlight) look(mode *Mode) (ended bool) {
	e := f.engine
	life, cancel := context.WithTimeout(e.ctx, objectPatience)
	defer cancel()
	for n := 0; ; n++ {
		e.flights.look(f.flight)
		wait, err := f.lookOnce(mode)
		switch {
		case e.ctx.Err() != nil:
			e.end(f.load, outcome{err: ErrClosed})
		case errors.Is(err, backend.ErrStoreDown), errors.Is(err, errUnleased):
			f.up = false
			return false
		case err != nil:
			e.end(f.load, outcome{err: err})
		case f.ended && n > 0:
			e.fleet.Add(1)
		case wait && e.flights.stale(f.flight):
			e.end(f.load, outcome{again: true})
		case wait && !sleep(life, pause(n)):
			e.end(f.load, outcome{err: e.outwaited()})
		}
		if f.ended || !wait {
			return f.ended
		}
	}
}

// lookOnce asks once; it is to be asked again if another process loads the object, or something has just changed.
func (f *objectFlight) lookOnce(mode *Mode) (wait bool, err error) {
	e := f.engine
	ctx, cancel := context.WithTimeout(e.ctx, e.opts.StoreBudget)
	defer cancel()
	g, err := f.acquire(ctx)
	if err != nil {
		return false, err
	}
	switch g.State {
	case backend.Taken:
		return false, nil
	case backend.Present:
		serves, err := f.serves(ctx, mode)
		switch {
		case err != nil:
			return false, err
		case serves:
			e.end(f.load, outcome{stored: true, cached: true})
			return false, nil
		default:
			return !mode.NoFill, nil // else a bad value stays: what is loaded is served only
		}
	case backend.Absent:
		if !e.flights.unshared(f.flight) {
			return true, nil // for those who have come since
		}
		e.end(f.load, outcome{})
		return false, nil
	default:
		return true, nil
	}
}

// acquire asks for the lease.
func (f *objectFlight) acquire(ctx context.Context) (backend.Grant, error) {
	grants, err := f.engine.opts.Store.Acquire(ctx, f.db, leaseLife, []backend.Ask{{Key: []byte(f.key), As: backend.AsAny}})
	if err != nil {
		f.engine.unleased(err)
		return backend.Grant{}, fmt.Errorf("%w: %w", errUnleased, err)
	}
	f.lease = grants[0].Lease
	return grants[0], grants[0].Err
}

// retake takes the lease again after a commit that Redis has refused. If it cannot have it, it ends the load: its readers look again.
func (f *objectFlight) retake() bool {
	e := f.engine
	ctx, cancel := context.WithTimeout(e.ctx, e.opts.StoreBudget)
	defer cancel()
	f.unkeep()
	g, err := f.acquire(ctx)
	if err == nil && g.State != backend.Taken {
		e.end(f.load, outcome{again: true})
		return false
	}
	f.keep()
	return true
}

// keep keeps the lease, if there is one, for as long as the object is being loaded.
func (f *objectFlight) keep() {
	f.unkeep = f.engine.keep(f.engine.ctx, f.db, []*load{f.load})
}
