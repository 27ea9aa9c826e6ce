package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// value is one scalar or list field: how it is read from text, judged and written. Each kind below points into a Config.
type value interface {
	// set reads text, as a variable or a flag gives it. A list is comma-separated. Bounds are left to check.
	set(text string) error
	// check returns what is wanted if the value is out of bounds, else nil.
	check() error
	// show returns the value as YAML.
	show() string
	// bound says in words what check accepts; "" for anything.
	bound() string
}

// text is any string that ok accepts.
type text struct {
	p    *string
	want string             // in words; "" for anything
	ok   func(string) error // nil for anything; "" must be judged too
}

func (v text) set(s string) error { *v.p = s; return nil }
func (v text) show() string       { return strconv.Quote(*v.p) }
func (v text) bound() string      { return v.want }
func (v text) check() error {
	if v.ok == nil {
		return nil
	}
	return v.ok(*v.p)
}

// secret is a password.
type secret struct{ p *Secret }

func (v secret) set(s string) error { *v.p = Secret(s); return nil }
func (v secret) check() error       { return nil }
func (v secret) show() string       { return strconv.Quote(v.p.String()) }
func (v secret) bound() string      { return "" }

// choice is one of a few words, whatever their case; it is kept as the table spells it.
type choice struct {
	p  *string
	of []string
}

func (v choice) set(s string) error {
	for _, o := range v.of {
		if strings.EqualFold(o, s) {
			*v.p = o
			return nil
		}
	}
	return errors.New("want " + v.bound())
}

func (v choice) check() error {
	for _, o := range v.of {
		if o == *v.p {
			return nil
		}
	}
	return errors.New("want " + v.bound())
}

func (v choice) show() string  { return *v.p }
func (v choice) bound() string { return "one of " + strings.Join(v.of, ", ") }

// truth is true or false.
type truth struct{ p *bool }

func (v truth) set(s string) error {
	switch strings.ToLower(s) {
	case "true":
		*v.p = true
	case "false":
		*v.p = false
	default:
		return errors.New("want true or false")
	}
	return nil
}

func (v truth) check() error  { return nil }
func (v truth) show() string  { return strconv.FormatBool(*v.p) }
func (v truth) bound() string { return "true or false" }

// whole is a count.
type whole struct {
	p        *int
	min, max int
}

func (v whole) set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return errors.New("want a whole number, " + v.bound())
	}
	*v.p = n
	return nil
}

func (v whole) check() error  { return within(*v.p, v.min, v.max, v.bound) }
func (v whole) show() string  { return strconv.Itoa(*v.p) }
func (v whole) bound() string { return fmt.Sprintf("%d to %d", v.min, v.max) }

// size is a number of bytes.
type size struct {
	p        *int64
	min, max int64
	zero     bool // 0 is accepted below min: it turns something off
}

func (v size) set(s string) (err error) { return setParsed(v.p, parseSize, s) }
func (v size) show() string             { return formatSize(*v.p) }
func (v size) check() error {
	if v.zero && *v.p == 0 {
		return nil
	}
	return within(*v.p, v.min, v.max, v.bound)
}

func (v size) bound() string {
	return orZero(v.zero, formatSize(v.min)+" to "+formatSize(v.max))
}

// span is a duration.
type span struct {
	p        *time.Duration
	min, max time.Duration
	zero     bool // as size.zero
}

func (v span) set(s string) error { return setParsed(v.p, parseDuration, s) }
func (v span) show() string       { return formatDuration(*v.p) }
func (v span) check() error {
	if v.zero && *v.p == 0 {
		return nil
	}
	return within(*v.p, v.min, v.max, v.bound)
}

func (v span) bound() string {
	return orZero(v.zero, formatDuration(v.min)+" to "+formatDuration(v.max))
}

// share is a part of one, "10%" or 0.1.
type share struct {
	p        *float64
	min, max float64
}

func (v share) set(s string) error { return setParsed(v.p, parsePercent, s) }
func (v share) check() error       { return within(*v.p, v.min, v.max, v.bound) }
func (v share) show() string       { return formatPercent(*v.p) }
func (v share) bound() string      { return formatPercent(v.min) + " to " + formatPercent(v.max) }

// list is strings, each of which ok accepts. It may be empty.
type list struct {
	p    *[]string
	want string // of each element, in words
	ok   func(string) error
}

func (v list) set(s string) error {
	*v.p = nil
	if strings.TrimSpace(s) == "" {
		return nil
	}
	for item := range strings.SplitSeq(s, ",") {
		*v.p = append(*v.p, strings.TrimSpace(item))
	}
	return nil
}

func (v list) check() error {
	seen := make(map[string]bool, len(*v.p))
	for _, item := range *v.p {
		if err := v.ok(item); err != nil {
			return fmt.Errorf("%q: %w", item, err)
		}
		if seen[item] {
			return fmt.Errorf("%q: want each only once", item)
		}
		seen[item] = true
	}
	return nil
}

func (v list) show() string {
	quoted := make([]string, len(*v.p))
	for i, item := range *v.p {
		quoted[i] = strconv.Quote(item)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func (v list) bound() string { return "a list, each " + v.want }

// setParsed stores what parse makes of s; on an error *p stays.
func setParsed[T any](p *T, parse func(string) (T, error), s string) error {
	v, err := parse(s)
	if err == nil {
		*p = v
	}
	return err
}

// within judges a bounded number. NaN is within nothing.
func within[T int | int64 | float64 | time.Duration](v, low, high T, bound func() string) error {
	if v >= low && v <= high {
		return nil
	}
	return errors.New("want " + bound())
}

func orZero(zero bool, bound string) string {
	if zero {
		return "0 (none), or " + bound
	}
	return bound
}
