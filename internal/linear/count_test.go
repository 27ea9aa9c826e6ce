package linear_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"forebay/backend"
	"forebay/internal/testkit"
)

// counts is what leases came to in a fleet's processes: a history in which nothing meets anything proves nothing.
type counts struct {
	taken   atomic.Int64 // loads that were begun
	busy    atomic.Int64 // answers that another process loads the key
	markers atomic.Int64 // … that there is no row
	stored  atomic.Int64
	marked  atomic.Int64
	refused atomic.Int64 // loads that did not fit at their end
	unheard atomic.Int64 // … of which nobody knows whether they did
	dropped atomic.Int64 // keys whose leases writers dropped
	vain    atomic.Int64 // drops that Redis did not answer
	faults  [8]atomic.Int64
}

// counted are faults that count themselves.
func (c *counts) counted(faults []fault) (list []fault) {
	for i, f := range faults {
		list = append(list, func(p *testkit.FaultProxy, rnd *rand.Rand) time.Duration {
			c.faults[i].Add(1)
			return f(p, rnd)
		})
	}
	return list
}

func (c *counts) String() string {
	var faults []int64
	for i := range c.faults {
		faults = append(faults, c.faults[i].Load())
	}
	return fmt.Sprintf("%d loads, %d times another's, %d markers found, %d stored, %d marked, %d refused, %d unheard; %d leases dropped, %d not; faults %v",
		c.taken.Load(), c.busy.Load(), c.markers.Load(), c.stored.Load(), c.marked.Load(), c.refused.Load(), c.unheard.Load(), c.dropped.Load(), c.vain.Load(), faults)
}

// counting is a store whose leases are counted.
type counting struct {
	backend.Store
	*counts
}

func (s counting) Acquire(ctx context.Context, db int, life time.Duration, asks []backend.Ask) ([]backend.Grant, error) {
	grants, err := s.Store.Acquire(ctx, db, life, asks)
	for _, g := range grants {
		switch g.State {
		case backend.Taken:
			s.taken.Add(1)
		case backend.Busy:
			s.busy.Add(1)
		case backend.Absent:
			s.markers.Add(1)
		}
	}
	return grants, err
}

func (s counting) Settle(ctx context.Context, db int, entries []backend.Entry) (fits []bool, errs []error, err error) {
	fits, errs, err = s.Store.Settle(ctx, db, entries)
	for i := range entries {
		switch do := entries[i].Do; {
		case do == backend.KeepOn || do == backend.GiveUp:
		case err != nil:
			s.unheard.Add(1)
		case !fits[i]:
			s.refused.Add(1)
		case do == backend.MarkAbsent:
			s.marked.Add(1)
		case errs[i] == nil && do == backend.StoreValue:
			s.stored.Add(1)
		}
	}
	return fits, errs, err
}

func (s counting) Drop(ctx context.Context, db int, keys [][]byte, areas []string) error {
	err := s.Store.Drop(ctx, db, keys, areas)
	if err == nil {
		s.dropped.Add(int64(len(keys)))
	} else {
		s.vain.Add(1)
	}
	return err
}
