package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// info is the reply of INFO by field.
type info map[string]string

// parseInfo reads "field:value" lines. What is not of that form (titles, blank lines) is passed over.
func parseInfo(text string) info {
	in := info{}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, "\r")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if k, v, ok := strings.Cut(line, ":"); ok {
			in[k] = v
		}
	}
	return in
}

// number returns a field as an integer, 0 if it is absent or no number.
func (in info) number(field string) int64 {
	n, err := strconv.ParseInt(in[field], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// ask runs one command on database 0 within the timeout. An error reply is returned as go-redis gives it; anything else wraps
// backend.ErrStoreDown. It is tried also while Redis is held to be down: who asks here wants to know now.
func (c *Client) ask(ctx context.Context, args ...any) (any, error) {
	pool, err := c.pool(0)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	v, err := pool.Do(limited, args...).Result()
	return v, c.failure(ctx, err)
}

// info asks for INFO: the server's default sections, or one.
func (c *Client) info(ctx context.Context, section ...any) (info, error) {
	v, err := c.ask(ctx, append([]any{"info"}, section...)...)
	if err != nil {
		return nil, err
	}
	text, ok := v.(string)
	if !ok {
		return nil, fmt.Errorf("read INFO: the reply is a %T", v)
	}
	return parseInfo(text), nil
}

// config asks for one setting. It is "" if the server has none of that name.
func (c *Client) config(ctx context.Context, name string) (string, error) {
	v, err := c.ask(ctx, "config", "get", name)
	if err != nil {
		return "", err
	}
	value, _ := pairs(v)[name].(string)
	return value, nil
}

// pairs reads a map reply, which is a map in RESP3 and a flat list in RESP2. Keys that are not strings are passed over.
func pairs(v any) map[string]any {
	m := map[string]any{}
	switch v := v.(type) {
	case map[any]any:
		for k, e := range v {
			if k, ok := k.(string); ok {
				m[k] = e
			}
		}
	case []any:
		for i := 0; i+1 < len(v); i += 2 {
			if k, ok := v[i].(string); ok {
				m[k] = v[i+1]
			}
		}
	}
	return m
}

// texts reads a list or set of strings, passing over what is none.
func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// isReply tells whether err is a reply of the server and not its absence.
func isReply(err error) bool { return err != nil && !isUnasked(err) }
