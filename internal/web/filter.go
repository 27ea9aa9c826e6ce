package web

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"forebay/internal/event"
)

const (
	maxSample = 1_000_000
	maxFilter = 4 << 10 // bytes of one value of a filter
)

// Filter says which events a stream has; an event passes if it passes every part. The zero Filter lets all pass.
type Filter struct {
	Kinds   event.KindSet // empty: all
	Route   string        // "": all
	Session string        // "": all
	Prefix  string        // of the key; "": all, also events without a key
	Sample  int           // above 1: the events of one key in so many, and those without a key
	Fleet   bool          // the whole fleet's, from Kafka, not only this process's
}

// parseFilter reads the query of a stream. Kinds are separated by commas or given by repeating the parameter. The error is one
// line that says what is allowed. routes are the configured names.
func parseFilter(query string, routes []string) (f Filter, err error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return f, errors.New("the query is not percent-encoded")
	}
	// In order, so that of several mistakes the same one is named each time.
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if name != "kind" && len(values[name]) > 1 {
			return Filter{}, fmt.Errorf("%.40q is given twice", name)
		}
		if err := f.set(name, strings.Join(values[name], ","), routes); err != nil {
			return Filter{}, err
		}
	}
	return f, nil
}

// set takes one parameter. An empty value is no filter, as an empty form field means.
func (f *Filter) set(name, value string, routes []string) (err error) {
	if len(value) > maxFilter {
		return fmt.Errorf("%.40q is longer than %d bytes", name, maxFilter)
	}
	switch name {
	case "kind":
		f.Kinds, err = parseKinds(value)
		return err
	case "route":
		if value != "" && !slices.Contains(routes, value) {
			return fmt.Errorf("route %.200q is not configured", value)
		}
		f.Route = value
	case "session":
		f.Session = value
	case "prefix":
		f.Prefix = value
	case "sample":
		if value == "" {
			return nil
		}
		if f.Sample, err = strconv.Atoi(value); err != nil || f.Sample < 1 || f.Sample > maxSample {
			return fmt.Errorf("sample is a number from 1 (all keys) to %d (one key in so many)", maxSample)
		}
	case "scope":
		if value != "proxy" && value != "fleet" {
			return errors.New("scope is proxy or fleet")
		}
		f.Fleet = value == "fleet"
	default:
		return fmt.Errorf("%.40q is not a filter: they are kind, route, session, prefix, sample, scope", name)
	}
	return nil
}

func parseKinds(value string) (set event.KindSet, err error) {
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		kind, ok := event.ParseKind(name)
		if !ok {
			var all []string
			for _, k := range event.Kinds() {
				all = append(all, k.String())
			}
			return 0, fmt.Errorf("kind %.40q is not one of %s", name, strings.Join(all, ", "))
		}
		set |= event.SetOf(kind)
	}
	return set, nil
}
