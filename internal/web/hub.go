package web

import (
	"context"
	"fmt"

	"forebay/internal/event"
)

// FromHub gives the streams of this process's own events. There is no fleet-wide one.
func FromHub(hub *event.Hub) Events { return hubEvents{hub} }

type hubEvents struct{ hub *event.Hub }

func (h hubEvents) Subscribe(f Filter, lastID string) (Subscription, error) {
	if f.Fleet {
		return nil, ErrNoFleet
	}
	var after event.ID // the zero ID: what is to come
	if lastID != "" {
		var err error
		if after, err = event.ParseID(lastID); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrLastID, err)
		}
	}
	filter := event.Filter{Kinds: f.Kinds, Route: f.Route, Session: f.Session, Prefix: f.Prefix, Sample: f.Sample}
	return &hubSubscription{sub: h.hub.Subscribe(filter, after)}, nil
}

// hubSubscription needs no closing: the hub knows nothing of it.
type hubSubscription struct {
	sub   *event.Subscription
	items []Item
}

func (s *hubSubscription) Next(ctx context.Context) ([]Item, error) {
	found, err := s.sub.Next(ctx)
	if err != nil {
		return nil, err
	}
	s.items = s.items[:0]
	for _, it := range found {
		item := Item{Line: it.Line}
		if (it.ID != event.ID{}) {
			item.ID = it.ID.String()
		}
		s.items = append(s.items, item)
	}
	return s.items, nil
}

func (s *hubSubscription) Close() {}
