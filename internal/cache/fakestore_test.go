package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"forebay/backend"
)

// op is one round trip to the fake store.
type op struct {
	name string // "get" (a look), "fill", "end" (of loads that store nothing), "drop" or "dropall"
	db   int
	keys []string
}

// store is a fake Redis.
type store struct {
	// before is called when a round trip begins, after when it is done but not yet answered; they may block, and fail it as a whole.
	before, after func(ctx context.Context, o op) error
	// refuse gives an entry or a key an error of its own.
	refuse func(o op, key string) error
	// overwrite breaks the contract of Settle: it stores over what is present already.
	overwrite bool
	// leaseless breaks it too: it compares no leases.
	leaseless bool

	mu     sync.Mutex
	down   bool
	values map[string]string // by "db/key"
	ends   map[string]time.Time
	stamps map[string]fakeStamp
	ops    []op
	filled []backend.Entry // stored ones
	tokens int
	leases map[string]fakeLease // by "db/key"
	raised map[int]int          // generations by database
	areas  map[string]int       // by "db/name"
}

var _ backend.Store = (*store)(nil)

func newStore() *store {
	return &store{values: map[string]string{}, ends: map[string]time.Time{}, stamps: map[string]fakeStamp{}, leases: map[string]fakeLease{}, raised: map[int]int{}, areas: map[string]int{}}
}

func at(db int, key string) string { return fmt.Sprintf("%d/%s", db, key) }

// set and del are a client's SET and DEL, get its GET, in database 0.
func (s *store) set(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(at(0, key), value, 0)
}

func (s *store) del(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, at(0, key))
}

func (s *store) get(key string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value(at(0, key))
}

func (s *store) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// trips returns the round trips of one kind so far.
func (s *store) trips(name string) (list []op) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.ops {
		if o.name == name {
			list = append(list, o)
		}
	}
	return list
}

// entries returns what fills have stored so far.
func (s *store) entries() []backend.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]backend.Entry(nil), s.filled...)
}

func (s *store) Up() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.down
}

func (s *store) Get(ctx context.Context, db int, keys [][]byte) (values [][]byte, errs []error, err error) {
	o := op{"get", db, nil}
	for _, k := range keys {
		o.keys = append(o.keys, string(k))
	}
	err = s.trip(ctx, o, func() {
		values, errs = make([][]byte, len(keys)), make([]error, len(keys))
		for i, k := range o.keys {
			if s.refuse != nil {
				errs[i] = s.refuse(o, k)
			}
			if v, ok := s.value(at(db, k)); ok && errs[i] == nil {
				values[i] = append([]byte{}, v...)
			}
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return values, errs, nil
}

// Acquire is a look, and so a "get".
func (s *store) Acquire(ctx context.Context, db int, life time.Duration, asks []backend.Ask) (grants []backend.Grant, err error) {
	o := op{"get", db, nil}
	for _, a := range asks {
		o.keys = append(o.keys, string(a.Key))
	}
	err = s.trip(ctx, o, func() {
		s.tokens++
		token := fmt.Sprint("token", s.tokens)
		grants = make([]backend.Grant, len(asks))
		for i, k := range o.keys {
			g := &grants[i]
			if s.refuse != nil {
				g.Err = s.refuse(o, k)
			}
			v, ok := s.value(at(db, k))
			refresh := asks[i].Refresh
			if asks[i].Age {
				g.Own, g.TTL = s.own(at(db, k))
				refresh = refresh && g.Own && g.TTL <= asks[i].Due
			}
			if ok && refresh && asks[i].As != backend.AsAny {
				g.Value = append([]byte{}, v...)
			}
			switch held := s.lease(db, k); {
			case g.Err != nil:
				g.State = backend.Present
			case ok && (!refresh || life == 0):
				g.State = backend.Present
				if asks[i].As != backend.AsAny {
					g.Value = append([]byte{}, v...)
				}
			case held.absent:
				g.State = backend.Absent
			case held.token != "" && held.token != token:
				g.State, g.Left = backend.Busy, time.Until(held.ends)
			case life > 0:
				g.State, g.Lease = backend.Taken, backend.Lease{Generation: s.generation(db), Token: token}
				s.leases[at(db, k)] = fakeLease{token: token, generation: s.generation(db), ends: time.Now().Add(life)}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return grants, nil
}

// fakeLease is what the fake holds of a key beside its value.
type fakeLease struct {
	token, generation string
	absent            bool
	ends              time.Time
}

func (s *store) generation(db int) string { return fmt.Sprint("generation", s.raised[db]) }

// lease is what counts of a key's lease now.
func (s *store) lease(db int, key string) fakeLease {
	l := s.leases[at(db, key)]
	if l.generation != s.generation(db) || !time.Now().Before(l.ends) {
		return fakeLease{}
	}
	return l
}

func (s *store) Settle(ctx context.Context, db int, entries []backend.Entry) (fits []bool, errs []error, err error) {
	o := op{"end", db, nil}
	for _, e := range entries {
		if e.Do == backend.StoreValue || e.Do == backend.RefreshValue {
			o.name = "fill"
			o.keys = append(o.keys, string(e.Key))
		}
	}
	if o.name == "end" {
		for _, e := range entries {
			o.keys = append(o.keys, string(e.Key))
		}
	}
	err = s.trip(ctx, o, func() {
		fits, errs = make([]bool, len(entries)), make([]error, len(entries))
		for i := range entries {
			fits[i], errs[i] = s.settle(o, db, &entries[i])
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return fits, errs, nil
}

// settle is one step of the contract, or of one that is broken on purpose.
func (s *store) settle(o op, db int, e *backend.Entry) (fits bool, err error) {
	k := at(db, string(e.Key))
	held := s.lease(db, string(e.Key))
	own := held.token == e.Lease.Token && e.Lease.Held()
	within := e.Area.Since.Held()
	ours := own || within && !e.Lease.Held()
	ours = ours && (!within || e.Area.Since == s.since(db, e.Area.Name))
	ours = ours || s.leaseless
	have, present := s.value(k)
	asSeen := !present
	if e.Seen != nil {
		still, _ := s.own(k)
		asSeen = present && have == string(e.Seen) && still
	}
	fits = ours && (asSeen || s.overwrite || e.Do == backend.GiveUp || e.Do == backend.KeepOn)
	if own {
		delete(s.leases, k)
	}
	if fits && e.Seen != nil && e.Do == backend.MarkAbsent {
		delete(s.values, k)
	}
	switch {
	case !fits:
	case e.Do == backend.MarkAbsent && e.TTL > 0:
		s.leases[k] = fakeLease{absent: true, generation: e.Lease.Generation, ends: time.Now().Add(e.TTL)}
	case e.Do == backend.KeepOn:
		held.ends = time.Now().Add(e.TTL)
		s.leases[k] = held
	case e.Do == backend.StoreValue, e.Do == backend.RefreshValue:
		if s.refuse != nil {
			if err := s.refuse(o, string(e.Key)); err != nil {
				return true, err
			}
		}
		s.put(k, string(e.Value), e.TTL)
		delete(s.stamps, k)
		if e.Stamp {
			s.stamps[k] = fakeStamp{string(e.Value), s.ends[k]}
		}
		s.filled = append(s.filled, *e)
	}
	return fits, nil
}

func (s *store) Drop(ctx context.Context, db int, keys [][]byte, areas []string) error {
	o := op{"drop", db, nil}
	for _, k := range keys {
		o.keys = append(o.keys, string(k))
	}
	return s.trip(ctx, o, func() {
		for _, k := range o.keys {
			delete(s.leases, at(db, k))
			delete(s.stamps, at(db, k))
		}
		for _, a := range areas {
			s.areas[at(db, a)]++
		}
	})
}

// Enter does not count as a round trip of the loads that the tests look at.
func (s *store) Enter(_ context.Context, db int, area string) (backend.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return backend.Lease{}, backend.ErrStoreDown
	}
	return s.since(db, area), nil
}

func (s *store) since(db int, area string) backend.Lease {
	return backend.Lease{Generation: s.generation(db), Token: fmt.Sprint("area", s.areas[at(db, area)])}
}

func (s *store) DropAll(ctx context.Context, dbs []int) error {
	return s.trip(ctx, op{"dropall", -1, nil}, func() {
		for _, db := range dbs {
			s.raised[db]++
		}
	})
}

// trip does what a round trip does, under the lock, between the two hooks.
func (s *store) trip(ctx context.Context, o op, do func()) error {
	s.mu.Lock()
	s.ops = append(s.ops, o)
	s.mu.Unlock()
	if s.before != nil {
		if err := s.before(ctx, o); err != nil {
			return fmt.Errorf("%s: %w: %w", o.name, backend.ErrStoreDown, err)
		}
	}
	s.mu.Lock()
	do()
	s.mu.Unlock()
	if s.after != nil {
		if err := s.after(ctx, o); err != nil {
			return fmt.Errorf("%s: %w: %w", o.name, backend.ErrStoreDown, err)
		}
	}
	return nil
}

// on makes a hook of a gate that holds one kind of round trip, and of those only the ones that have a key that begins with prefix.
func on(g *gate, name, prefix string) func(context.Context, op) error {
	return func(ctx context.Context, o op) error {
		for _, k := range o.keys {
			if o.name == name && strings.HasPrefix(k, prefix) {
				return g.pass(ctx)
			}
		}
		return nil
	}
}

// GetHashes is not asked by the tests of strings.
func (s *store) GetHashes(ctx context.Context, db int, keys [][]byte) (values [][]byte, errs []error, err error) {
	return s.Get(ctx, db, keys)
}

// Exists tells which keys are there.
func (s *store) Exists(ctx context.Context, db int, keys [][]byte) ([]bool, error) {
	values, _, err := s.Get(ctx, db, keys)
	there := make([]bool, len(keys))
	for i := range values {
		there[i] = values[i] != nil
	}
	return there, err
}

// Discard removes what is still what was seen.
func (s *store) Discard(ctx context.Context, db int, seen []backend.Seen) (removed []bool, errs []error, err error) {
	o := op{"discard", db, nil}
	for _, v := range seen {
		o.keys = append(o.keys, string(v.Key))
	}
	err = s.trip(ctx, o, func() {
		removed, errs = make([]bool, len(seen)), make([]error, len(seen))
		for i, v := range seen {
			if s.refuse != nil {
				errs[i] = s.refuse(o, o.keys[i])
			}
			have, there := s.value(at(db, o.keys[i]))
			if errs[i] == nil && there && int64(len(have)) == v.Size && strings.HasPrefix(have, string(v.Head)) {
				delete(s.values, at(db, o.keys[i]))
				removed[i] = true
			}
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return removed, errs, nil
}

// Head gives the beginning of a value.
func (s *store) Head(ctx context.Context, db int, key []byte, most int) (head []byte, size int64, err error) {
	values, errs, err := s.Get(ctx, db, [][]byte{key})
	if err != nil || errs[0] != nil {
		return nil, 0, errors.Join(err, errors.Join(errs...))
	}
	return values[0][:min(most, len(values[0]))], int64(len(values[0])), nil
}
