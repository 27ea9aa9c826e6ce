package cache

import (
	"context"
	"errors"

	"forebay/backend"
)

// A partition is read ahead by one process of all that share the Redis, at a time: who is to read it takes a lease for the whole of it, as for a key (lease.go), under a
// name that no client has. A and B: processes.
//
//  1. A misses a row of partition p, takes the lease of p and reads all of it. B misses another row of p: the lease is A's, so B loads what its own readers have
//     asked for, and that alone.
//  2. A's rows come to Redis; what B has stored meanwhile is there and stays. What B's readers ask for from then on they find.
//  3. A ends, or dies: then its lease goes with it, or after leaseLife. B tries again only once it has missed 16 more rows of p (aheads.begin).
//
// The lease spares the source and decides nothing else: what may be stored is told by the leases of the keys and by the area.

// errElsewhere ends a reading that another process has begun.
var errElsewhere = errors.New("another process reads the partition")

// claim takes the lease of the partition. It is kept until release is called, which gives it up.
func (r *reading) claim(ctx context.Context) (release func(), err error) {
	e := r.engine
	key := []byte(backend.HiddenPrefix + "ahead:" + r.route.Name + ":" + r.group)
	asked, cancel := context.WithTimeout(ctx, e.opts.StoreBudget)
	defer cancel()
	grants, err := e.opts.Store.Acquire(asked, r.db, leaseLife, []backend.Ask{{Key: key, As: backend.AsAny}})
	if err != nil {
		e.unleased(err)
		return nil, err
	}
	if grants[0].State != backend.Taken {
		return nil, errElsewhere
	}
	l := &load{flightKey: flightKey{r.db, string(key)}, lease: grants[0].Lease}
	stop := e.keep(e.ctx, r.db, []*load{l})
	return func() {
		stop()
		e.giveUp(l)
	}, nil
}
