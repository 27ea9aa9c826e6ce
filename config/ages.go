package config

import (
	"errors"
	"strings"
	"time"
)

// agesDoc describes what else a TTL may say.
const agesDoc = "refresh_ahead (5m, or 10% of after) loads a value that is read so long before its end anew, behind the read; stale_while_revalidate (1m) serves it so long after its end, " +
	"while it is loaded anew; stale_if_error (30m) serves it so long after its end if it cannot be. Not with sliding, nor on object routes."

// ttlFields are what the ttl of a route may say beside after. path is that of ttl.
func (r *Route) ttlFields(path string) []field {
	return []field{
		{path + ".sliding", "", truth{&r.Sliding}},
		{path + ".refresh_ahead", "", spanOrShare{&r.RefreshAhead, &r.RefreshAheadPart}},
		{path + ".stale_while_revalidate", "", span{&r.StaleWhileRevalidate, time.Millisecond, MaxTTL, true}},
		{path + ".stale_if_error", "", span{&r.StaleIfError, time.Millisecond, MaxTTL, true}},
	}
}

// spanOrShare is a duration, or a part of another one: whichever was given, the other is 0.
type spanOrShare struct {
	p    *time.Duration
	part *float64
}

func (v spanOrShare) set(s string) error {
	*v.p, *v.part = 0, 0
	if strings.HasSuffix(s, "%") {
		return setParsed(v.part, parsePercent, s)
	}
	if setParsed(v.p, parseDuration, s) != nil {
		return errors.New("want a duration such as 5m, or a part such as 10%")
	}
	return nil
}

func (v spanOrShare) check() error {
	if span.check(v.span()) != nil || within(*v.part, 0, mostAhead, v.bound) != nil {
		return errors.New("want " + v.bound())
	}
	return nil
}

func (v spanOrShare) show() string {
	if *v.part > 0 {
		return formatPercent(*v.part)
	}
	return v.span().show()
}

func (v spanOrShare) bound() string {
	return v.span().bound() + ", or up to " + formatPercent(mostAhead)
}

func (v spanOrShare) span() span { return span{v.p, time.Millisecond, MaxTTL, true} }

// mostAhead is the largest part of a TTL that a value is refreshed ahead.
const mostAhead = 0.9

// refreshAhead is the route's refresh_ahead as a time.
func (c *Config) refreshAhead(r *Route) time.Duration {
	if r.RefreshAheadPart > 0 {
		return time.Duration(r.RefreshAheadPart * float64(c.ttl(r))).Truncate(time.Millisecond)
	}
	return r.RefreshAhead
}

// ages judges what a TTL says beside after. path is that of ttl.
func (v *validator) ages(r *Route, path string) {
	for _, f := range r.ttlFields(path) {
		v.bounds(f)
		key := strings.TrimPrefix(f.path, path+".")
		if !v.c.Given(f.path) || key == "sliding" {
			continue
		}
		switch {
		case r.Sliding:
			v.fail(f.path, f.val.show(), "want no "+key+" beside sliding, by which reads extend the TTL")
		case r.Object != nil:
			v.fail(f.path, f.val.show(), "want it on routes of rows only: an object is loaded anew when its TTL is over")
		}
	}
	least := time.Duration((1 - v.c.Defaults.Jitter) * float64(v.c.ttl(r)))
	if ahead := v.c.refreshAhead(r); ahead > 0 && ahead >= least {
		v.fail(path+".refresh_ahead", formatDuration(ahead), "want less than "+formatDuration(least)+", the shortest TTL that defaults.jitter leaves: every hit would refresh")
	}
}

// showTTL is the route's ttl as YAML; after is what it says of that.
func (r *Route) showTTL(after string) string {
	pairs := []string{"after: " + after}
	nothing := new(Route).ttlFields("")
	for i, f := range r.ttlFields("") {
		if shown := f.val.show(); shown != nothing[i].val.show() {
			pairs = append(pairs, f.path[1:]+": "+shown)
		}
	}
	if len(pairs) == 1 {
		return after
	}
	return flow(pairs)
}
