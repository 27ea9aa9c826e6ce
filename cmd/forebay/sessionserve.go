package main

import (
	"context"
	"errors"

	"forebay/internal/event"
	"forebay/internal/session"
)

// makeSessions makes what follows sessions; it sees every event from the first.
func (n *node) makeSessions(context.Context) error {
	n.sessions = session.New(session.Options{
		Store: n.redis, Proxy: n.name(), Grace: n.cfg.Sessions.Grace, AfterUse: n.cfg.AfterUse(),
		Record: func(ev *event.Event) { n.events.Record(ev) }, Log: n.log,
	})
	return nil
}

// observe shows an event to all who count.
func (n *node) observe(v *event.View) {
	n.metrics.ObserveView(v)
	n.sessions.Observe(v)
}

// startSessions begins to tell Redis of sessions. On the way down the clients have gone: what they read last is told, and that nobody is
// connected here any more. A session of another Forebay's clients goes on; others end when their grace is over, if a Forebay is there.
func (n *node) startSessions(context.Context) error {
	end := background(n.sessions.Run)
	n.up.push("sessions", func(ctx context.Context) error {
		end()
		if err := errors.Join(n.events.Flush(ctx), n.sessions.Flush(ctx)); err != nil {
			n.log.Warn("sessions are not told to redis: more of their keys will stay", "error", err)
		}
		return nil
	})
	return nil
}
