package cache

import (
	"context"
	"errors"

	"forebay/backend"
	"forebay/internal/check"
	"forebay/internal/event"
	"forebay/internal/route"
)

// head gathers the beginning of an object as it is read and holds it to the rules of its route, once it is long enough. Nil, it demands nothing.
type head struct {
	flight *objectFlight
	bytes  []byte
	done   bool
}

// newHead judges the object's size. Nothing of it need be read if that is wrong.
func (f *objectFlight) newHead() (*head, error) {
	rules := f.route.Rules
	if rules == nil {
		return nil, nil
	}
	if err := rules.Length(f.object.Bytes); err != nil {
		return nil, ruleError(f.route, err)
	}
	return &head{flight: f}, nil
}

// add takes the next chunk. The error wraps a [*check.Error].
func (h *head) add(data []byte) error {
	if h == nil || h.done {
		return nil
	}
	f := h.flight
	h.bytes = append(h.bytes, data[:min(len(data), route.HeadBytes-len(h.bytes))]...)
	if len(h.bytes) < route.HeadBytes && int64(len(h.bytes)) < f.object.Bytes {
		return nil
	}
	return h.judge()
}

// end judges an object that has no bytes.
func (h *head) end() error {
	if h == nil || h.done {
		return nil
	}
	return h.judge()
}

func (h *head) judge() error {
	h.done = true
	f := h.flight
	err := f.route.CheckHead(h.bytes, f.object.Bytes)
	h.bytes = nil
	switch {
	case err == nil:
		return nil
	case check.Served(err):
		f.engine.tell(f.load, event.FromSource, err)
		return nil
	default:
		return ruleError(f.route, err)
	}
}

// isFinding tells whether an object was read and is not what its route demands.
func isFinding(err error) bool {
	_, ok := errors.AsType[*check.Error](err)
	return ok
}

// serves tells whether the value that Redis holds for the key may be served: one whose beginning breaks the rules is discarded, or, where it cannot
// be, noted in mode as not to be touched. False without either: it has gone.
func (f *objectFlight) serves(ctx context.Context, mode *Mode) (bool, error) {
	e, key := f.engine, []byte(f.key)
	if f.route.Rules == nil {
		return true, nil
	}
	b, size, err := e.opts.Store.Head(ctx, f.db, key, route.HeadBytes)
	if err != nil || b == nil {
		return false, err
	}
	err = f.route.CheckHead(b, size)
	if err == nil {
		return true, nil
	}
	if !f.told {
		f.told = true
		e.tell(f.load, event.FromRedis, err)
	}
	if check.Served(err) {
		return true, nil
	}
	f.seen = backend.Seen{Key: key, Head: b, Size: size}
	up := e.discard(ctx, f.db, []*load{f.load}, *mode)
	mode.NoFill = mode.NoFill || !up || f.noFill
	return false, nil
}
