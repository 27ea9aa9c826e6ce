package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"forebay/backend/redis/wire"
	"forebay/internal/near"
	"forebay/internal/web"
)

// startNear begins the copy of routed values in memory, unless it is turned off, or nothing could tell it what changes: the in-process stand-in
// does not track.
func (n *node) startNear(context.Context) error {
	prefixes := n.nearPrefixes()
	if n.cfg.Near.MaxBytes == 0 || len(prefixes) == 0 || n.private != nil && n.private.InProcess() {
		return nil
	}
	n.near = near.New(near.Options{
		MaxBytes: n.cfg.Near.MaxBytes, Tracker: n.redis.Tracker(prefixes), Now: wire.Now, Log: n.log,
		Reserve: func(db int, key []byte) time.Duration {
			if r := n.routeOf(db, key); r != nil {
				return r.Reserve()
			}
			return 0
		},
	})
	n.up.push("near copy", closed(n.near.Close))
	return nil
}

// nearPrefixes are what the keys begin with whose values can be kept: strings.
func (n *node) nearPrefixes() (list []string) {
	for _, r := range n.routes.Routes() {
		if !r.IsHash() {
			list = append(list, r.Prefix())
		}
	}
	return list
}

// nearCheck tells of the near copy in health. It is on while Redis tells of changes; without it, reads go to Redis.
func (n *node) nearCheck() web.Check {
	return web.Check{Name: "near", Probe: func(context.Context) error {
		if n.near.Err() == nil {
			return nil
		}
		return errors.New(strings.TrimPrefix(n.near.Health(), "off: ") + "; reads go to Redis meanwhile")
	}}
}
