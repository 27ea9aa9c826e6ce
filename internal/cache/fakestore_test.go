package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"forebay/backend"
)

// op is one round trip to the fake store.
type op struct {
	name string // "get" or "fill"
	db   int
	keys []string
}

// store is a fake Redis.
type store struct {
	// before is called when a round trip begins, after when it is done but not yet answered; they may block, and fail it as a whole.
	before, after func(ctx context.Context, o op) error
	// refuse gives an entry or a key an error of its own.
	refuse func(o op, key string) error
	// overwrite breaks the contract of Fill: it stores what is present already.
	overwrite bool

	mu     sync.Mutex
	down   bool
	values map[string]string // by "db/key"
	ops    []op
	filled []backend.Entry // stored ones
}

var _ backend.Store = (*store)(nil)

func newStore() *store { return &store{values: map[string]string{}} }

func at(db int, key string) string { return fmt.Sprintf("%d/%s", db, key) }

// set and del are a client's SET and DEL, get its GET, in database 0.
func (s *store) set(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[at(0, key)] = value
}

func (s *store) del(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, at(0, key))
}

func (s *store) get(key string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[at(0, key)]
	return v, ok
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
			if v, ok := s.values[at(db, k)]; ok && errs[i] == nil {
				values[i] = append([]byte{}, v...)
			}
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return values, errs, nil
}

func (s *store) Fill(ctx context.Context, db int, entries []backend.Entry) (stored []bool, errs []error, err error) {
	o := op{"fill", db, nil}
	for _, e := range entries {
		o.keys = append(o.keys, string(e.Key))
	}
	err = s.trip(ctx, o, func() {
		stored, errs = make([]bool, len(entries)), make([]error, len(entries))
		for i, e := range entries {
			if s.refuse != nil {
				errs[i] = s.refuse(o, o.keys[i])
			}
			if _, present := s.values[at(db, o.keys[i])]; errs[i] != nil || present && !s.overwrite {
				continue
			}
			s.values[at(db, o.keys[i])] = string(e.Value)
			s.filled = append(s.filled, e)
			stored[i] = true
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return stored, errs, nil
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
			have, there := s.values[at(db, o.keys[i])]
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
