package session

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"forebay/backend"
)

// Counts are what one proxy counted of a session, or all of them together.
type Counts struct {
	Hits      int64 `json:"hits"`
	Misses    int64 `json:"misses"`
	Loads     int64 `json:"loads"` // misses that the source answered with a value
	Coalesced int64 `json:"coalesced"`
	Bytes     Bytes `json:"bytes"`
	Held      int64 `json:"held"` // keys claimed: by two proxies, twice
}

// Bytes are the sizes of values that were read, by where they came from.
type Bytes struct {
	Near   int64 `json:"near"`
	Redis  int64 `json:"redis"`
	Source int64 `json:"source"`
}

// Saved is how many reads of the source the cache made needless.
func (c Counts) Saved() int64 { return c.Hits + c.Coalesced }

func (c *Counts) add(o Counts) {
	c.Hits += o.Hits
	c.Misses += o.Misses
	c.Loads += o.Loads
	c.Coalesced += o.Coalesced
	c.Bytes.Near += o.Bytes.Near
	c.Bytes.Redis += o.Bytes.Redis
	c.Bytes.Source += o.Bytes.Source
	c.Held += o.Held
}

// Info is a session as all proxies together know it, about [Options.Every] ago.
type Info struct {
	Name        string `json:"name"`
	Connections int    `json:"connections"`
	Proxies     int    `json:"proxies"` // that have connections of it
	Counts
	Saved  int64     `json:"saved"`  // reads of the source
	Capped bool      `json:"capped"` // it reads more keys than it can claim: some will stay
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"` // when a proxy last told of it
	// Ends is when it ends if no connection comes back, by Redis's clock; with connections it moves on.
	Ends time.Time `json:"ends"`
}

// List returns the live sessions, by name.
func (m *Manager) List(ctx context.Context) ([]Info, error) {
	if err := m.Flush(ctx); err != nil {
		return nil, err
	}
	records, err := m.opt.Store.Live(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Info, 0, len(records))
	for i := range records {
		list = append(list, m.info(&records[i]))
	}
	return list, nil
}

// Info returns one session. The error is ErrName or ErrNoSession, or wraps backend.ErrStoreDown.
func (m *Manager) Info(ctx context.Context, name string) (Info, error) {
	if !ValidName(name) {
		return Info{}, ErrName
	}
	list, err := m.List(ctx)
	if err != nil {
		return Info{}, err
	}
	for _, i := range list {
		if i.Name == name {
			return i, nil
		}
	}
	return Info{}, fmt.Errorf("session %s: %w", name, ErrNoSession)
}

// info sums a record's rows. Connections of a proxy that has not told for a while have gone with it.
func (m *Manager) info(r *backend.SessionRecord) Info {
	i := Info{Name: r.Name, First: r.First, Ends: r.Ends}
	for _, told := range r.Rows {
		var data row
		if json.Unmarshal(told.Data, &data) == nil {
			i.add(data.Counts)
		}
		if m.alive(r.Now, &told) {
			i.Connections += told.Connections
			i.Proxies++
		}
		if told.Told.After(i.Last) {
			i.Last = told.Told
		}
	}
	for _, c := range r.Claims {
		i.Capped = i.Capped || c.Over
	}
	i.Saved = i.Counts.Saved()
	return i
}

// alive tells whether a row is of a proxy that runs and has connections of the session.
func (m *Manager) alive(now time.Time, r *backend.SessionRow) bool {
	return r.Connections > 0 && now.Sub(r.Told) < 3*m.opt.Every
}

// Extend makes the session end no sooner than d from now, with or without connections. The error is ErrName, ErrTime or ErrNoSession, or wraps
// backend.ErrStoreDown.
func (m *Manager) Extend(ctx context.Context, name string, d time.Duration) error {
	if !ValidName(name) {
		return ErrName
	}
	if d < time.Second || d > MaxExtend {
		return ErrTime
	}
	if err := m.Flush(ctx); err != nil {
		return err
	}
	ok, err := m.opt.Store.Extend(ctx, name, d)
	if err == nil && !ok {
		err = fmt.Errorf("session %s: %w", name, ErrNoSession)
	}
	return err
}
