package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"forebay/internal/event"
)

// eventsTailCmd prints events: lines as they were written, each with its partition.
type eventsTailCmd struct {
	eventSource
	Follow  bool     `short:"f" help:"Go on with what comes, until interrupted."`
	New     bool     `help:"Leave out what is there already; with --follow."`
	Limit   int      `short:"n" placeholder:"N" help:"End after so many events. 0 is no limit."`
	Kind    []string `placeholder:"KIND" help:"Only these kinds: hit, miss, load, fill, evict, invalid, error, gap, session, log, checkpoint, end."`
	Route   string   `placeholder:"NAME" help:"Only this route's."`
	Session string   `placeholder:"NAME" help:"Only this session's."`
	Prefix  string   `placeholder:"TEXT" help:"Only of keys that begin so."`
	Proxy   string   `placeholder:"NAME" help:"Only of this Forebay."`
}

// errEnough ends reading: what was asked for was printed.
var errEnough = errors.New("that is all")

// Run prints what passes the filters.
func (cmd eventsTailCmd) Run(c *console) error {
	for _, k := range cmd.Kind {
		if _, ok := event.ParseKind(k); !ok {
			var all []string
			for _, k := range event.Kinds() {
				all = append(all, k.String())
			}
			return misused("--kind: %q is not one of %s", k, strings.Join(all, ", "))
		}
	}
	switch {
	case cmd.New && !cmd.Follow:
		return misused("--new goes with --follow: else there is nothing to print")
	case cmd.Limit < 0:
		return misused("--limit is below zero")
	}
	feed, err := cmd.open(c, cmd.Follow, cmd.New)
	if err != nil {
		return err
	}
	defer feed.close()
	printed := 0
	err = feed.run(c.ctx, func(p placed, _ int) error {
		var out []byte
		err := p.eachLine(func(line []byte) error {
			if !cmd.passes(line) {
				return nil
			}
			if cmd.Limit > 0 && printed == cmd.Limit { // of another partition
				return errEnough
			}
			out = p.appendLine(out, line)
			if printed++; printed == cmd.Limit {
				return errEnough
			}
			return nil
		})
		if err := write(c.out, out); err != nil {
			return err
		}
		return err
	})
	if errors.Is(err, errEnough) || errors.Is(err, errTorn) { // a line that is being written is none yet
		return nil
	}
	return err
}

func write(w io.Writer, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("print events: %w", err)
	}
	return nil
}

// passes tells whether a line is to be printed. Without filters, whatever it is.
func (cmd *eventsTailCmd) passes(line []byte) bool {
	if len(cmd.Kind) == 0 && cmd.Route == "" && cmd.Session == "" && cmd.Prefix == "" && cmd.Proxy == "" {
		return true
	}
	var e struct {
		Proxy, Kind, Route, Session, Key string
		Raw                              []byte `json:"key_b64"`
	}
	if json.Unmarshal(line, &e) != nil {
		return false
	}
	key := e.Key
	if e.Raw != nil {
		key = string(e.Raw)
	}
	return (len(cmd.Kind) == 0 || slices.Contains(cmd.Kind, e.Kind)) && (cmd.Route == "" || e.Route == cmd.Route) &&
		(cmd.Session == "" || e.Session == cmd.Session) && strings.HasPrefix(key, cmd.Prefix) && (cmd.Proxy == "" || e.Proxy == cmd.Proxy)
}
