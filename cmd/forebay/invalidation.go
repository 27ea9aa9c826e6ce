package main

import (
	"context"
	"fmt"

	"forebay/backend/kafka"
	"forebay/backend/redis"
	"forebay/internal/invalidation"
)

// startInvalidation makes what drops values that are said to be wrong. What Redis could not be told is done first of all when it answers again.
func (n *node) startInvalidation(ctx context.Context) error {
	n.invalid = invalidation.New(invalidation.Options{Store: n.redis, Loads: n.engine, Near: n.near, Routes: n.routes, Log: n.log})
	n.redis.OnChange(func(up bool) {
		if up {
			n.invalid.Wake()
		}
	})
	ask, list := n.redis.MayRelease, n.redis.Users
	if n.private != nil && n.private.InProcess() {
		ask = func(context.Context, string) (bool, error) { return true, nil }
		list = func(context.Context) (redis.Users, error) { return redis.Users{}, nil }
	}
	n.removers = newRights(func(ctx context.Context, user string) (redis.Readable, error) {
		may, err := ask(ctx, user)
		return redis.Readable{All: may}, err
	}, list)
	n.mayRemove("") // asked for now, so that it is known when Redis goes down
	if n.redis.Up() {
		n.removers.refresh(ctx)
	}
	n.up.push("removers", closed(background(n.removers.run)))
	n.up.push("invalidation", closed(background(n.invalid.Run)))
	return n.openChanges()
}

// openChanges begins to read the topic of changed keys, if there is one.
func (n *node) openChanges() error {
	k := &n.cfg.Invalidate.Kafka
	if len(k.Brokers) == 0 {
		return nil
	}
	tls, err := k.TLS.Load()
	if err != nil {
		return &usageError{fmt.Errorf("invalidate.kafka.tls: %w", err)}
	}
	n.changes = kafka.NewReader(kafka.ReaderOptions{
		Brokers: k.Brokers, Topic: k.Topic, TLS: tls, Username: k.Username, Password: string(k.Password), Log: n.log,
		Follower: changes{&invalidation.Topic{Name: k.Topic, Queue: n.invalid, Positions: n.redis, Log: n.log}},
	})
	n.up.push("invalidation topic", closed(n.changes.Close))
	return nil
}

// changes gives a topic's records to whoever applies them.
type changes struct{ *invalidation.Topic }

var _ kafka.Follower = changes{}

// Take implements [kafka.Follower].
func (c changes) Take(ctx context.Context, partition int, records []kafka.Record, next int64) (int64, error) {
	list := make([]invalidation.Record, len(records))
	for i, r := range records {
		list[i] = invalidation.Record{Key: r.Key, Value: r.Value}
	}
	return c.Topic.Take(ctx, partition, list, next)
}

// mayRemove tells whether a user was last known to be allowed to remove keys.
func (n *node) mayRemove(user string) bool { return n.removers.mayRead(user, "") }

// rightsChanged has everybody's rights asked for anew.
func (n *node) rightsChanged() {
	n.rights.revoke()
	n.removers.revoke()
}
