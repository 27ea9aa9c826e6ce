package cache

import (
	"context"
	"slices"
	"sync"

	"forebay/backend"
	"forebay/internal/route"
)

// A sliding TTL is extended when a value is read, at most once in a quarter of it, behind the read: the reader does not wait, and Redis is not asked for
// the TTL with each read. Instead this process remembers of each key when it need not look before (dueTimes); of two keys that share a place the older is
// forgotten, which costs a look too many.
//
//   - Redis looks and extends in one step: what has gone stays gone, and what a client has written keeps its own TTL, or none. Only a value that is as a fill has
//     stored it, by its stamp (backend.Entry.Stamp), is extended.
//   - Several processes look once each; the first extends, the others find that it is done.
//   - A near copy lives only until a look is due, so that reads come by here in time.

const (
	slideQueue = 4096 // keys that wait for their look; what is beyond is looked at with a later read
	slideBatch = 512  // in one round trip
)

// slides are the TTLs that are to be looked at.
type slides struct {
	looked dueTimes

	mu      sync.Mutex
	queue   []dueSlide
	running bool
}

// newSlides returns nothing if no route slides, or the store cannot.
func newSlides(o Options) (backend.Slider, *slides) {
	slider, ok := o.Store.(backend.Slider)
	if !ok || !slices.ContainsFunc(o.Routes.Routes(), func(r *route.Route) bool { return r.SlideBelow() > 0 }) {
		return nil, nil
	}
	return slider, &slides{}
}

type dueSlide struct {
	db    int
	key   []byte
	route *route.Route
}

// Slide tells that a value of a sliding route was read from Redis. It does not block, and costs an atomic read while no look is due.
// The key is borrowed for the call.
func (e *Engine) Slide(db int, key []byte, r *route.Route) {
	if r == nil || r.SlideBelow() == 0 || e.slider == nil {
		return
	}
	s := e.slides
	if !s.looked.take(db, key, r.SlideEvery()) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) >= slideQueue {
		s.looked.set(db, key, 0)
		return
	}
	s.queue = append(s.queue, dueSlide{db, append([]byte(nil), key...), r})
	if s.running {
		return
	}
	s.running = e.background(e.slideAll)
}

// background runs f in a goroutine that Close waits for, unless the engine is closed.
func (e *Engine) background(f func()) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false
	}
	e.wg.Go(f)
	return true
}

// slideAll looks until nothing waits.
func (e *Engine) slideAll() {
	s := e.slides
	for {
		s.mu.Lock()
		n := min(len(s.queue), slideBatch)
		batch := s.queue[:n:n]
		if s.queue = s.queue[n:]; len(s.queue) == 0 {
			s.queue = nil
		}
		s.running = n > 0
		s.mu.Unlock()
		if n == 0 {
			return
		}
		for len(batch) > 0 {
			k := 1
			for k < len(batch) && batch[k].db == batch[0].db {
				k++
			}
			e.slide(batch[:k])
			batch = batch[k:]
		}
	}
}

// slide looks at keys of one database, and remembers when to look again.
func (e *Engine) slide(batch []dueSlide) {
	ctx, cancel := context.WithTimeout(e.ctx, e.opts.StoreBudget)
	defer cancel()
	list := make([]backend.Slide, len(batch))
	for i, d := range batch {
		list[i] = backend.Slide{Key: d.key, Below: d.route.SlideBelow(), To: ttl(d.route)}
	}
	left, err := e.slider.Slide(ctx, batch[0].db, list)
	for i, d := range batch {
		wait := d.route.SlideEvery()
		switch {
		case err != nil:
			wait = 0 // with the next read
		case left[i] > list[i].Below:
			wait = left[i] - list[i].Below
		}
		e.slides.looked.set(d.db, d.key, wait)
	}
}
