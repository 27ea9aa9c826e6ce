package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"forebay/internal/event"
	"forebay/internal/session"
	"forebay/proxy"
)

// sessionVerbs answers for sessions, in RESP and HTTP.
type sessionVerbs struct {
	*session.Manager
	events *event.Pipeline
}

var _ proxy.Sessions = sessionVerbs{}

// End implements [web.Sessions]. The reads of a moment ago, which the events have not told of yet, count too.
func (v sessionVerbs) End(ctx context.Context, name, by string) (session.Released, error) {
	if err := v.events.Flush(ctx); err != nil {
		return session.Released{}, err
	}
	return v.Manager.End(ctx, name, by)
}

// Command implements [proxy.Sessions].
func (v sessionVerbs) Command(ctx context.Context, user, own string, args []string) (any, error) {
	verb := strings.ToLower(args[0])
	switch {
	case verb == "list" && len(args) == 1:
		list, err := v.List(ctx)
		if err != nil {
			return nil, err
		}
		reply := make([]any, len(list))
		for i := range list {
			reply[i] = sessionFields(&list[i])
		}
		return reply, nil
	case verb == "info" && len(args) == 2:
		info, err := v.Info(ctx, args[1])
		if err != nil {
			return nil, err
		}
		return sessionFields(&info), nil
	case verb == "end" && len(args) == 2:
		if err := v.may(ctx, user, own, args[1]); err != nil {
			return nil, err
		}
		r, err := v.End(ctx, args[1], "client "+own)
		if err != nil {
			return nil, err
		}
		return []any{"keys", r.Keys, "bytes", r.Bytes}, nil
	case verb == "extend" && len(args) == 3:
		seconds, err := strconv.ParseUint(args[2], 10, 31)
		if err != nil {
			return nil, fmt.Errorf("extend session: %.32q is no number of seconds", args[2])
		}
		if err := v.may(ctx, user, own, args[1]); err != nil {
			return nil, err
		}
		if err := v.Extend(ctx, args[1], time.Duration(seconds)*time.Second); err != nil {
			return nil, err
		}
		return "OK", nil
	default:
		return nil, errors.New("unknown subcommand or wrong number of arguments for FOREBAY SESSION; try FOREBAY HELP")
	}
}

// may lets a client end and extend the session it is in; that of others, if its user may remove keys.
func (v sessionVerbs) may(ctx context.Context, user, own, name string) error {
	if name == own && own != "" {
		return nil
	}
	return v.CanEnd(ctx, user)
}

// sessionFields are names and values in turn, as Redis gives such things.
func sessionFields(i *session.Info) []any {
	return []any{
		"name", i.Name, "connections", int64(i.Connections), "proxies", int64(i.Proxies),
		"hits", i.Hits, "misses", i.Misses, "loads", i.Loads, "coalesced", i.Coalesced, "saved", i.Saved, "held", i.Held,
		"bytes_redis", i.Bytes.Redis, "bytes_source", i.Bytes.Source, "bytes_near", i.Bytes.Near,
		"first", i.First.UTC().Format(time.RFC3339), "last", i.Last.UTC().Format(time.RFC3339), "ends", i.Ends.UTC().Format(time.RFC3339),
	}
}
