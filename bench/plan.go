package main

import (
	"fmt"
	"slices"

	"forebay/bench/load"
)

// row is what is measured against several targets, one right after the other.
type row struct {
	command string // "GET", "SET" or "MGET 64"
	bytes   int    // of a value
	depth   int    // commands sent at once (P)
	conns   int
	rate    int  // commands a second; 0 for as many as are answered
	cross   bool // by redis-benchmark; not in the plan, see crossed
}

// The sizes that stand for something: a small value, a 28×28 image of float32, and the images of MNIST as one value.
const (
	small = 100
	image = 3136
	one   = 1 << 20
	whole = 47_040_000
)

// steadyRate is the fixed rate, which every target reaches on two cores.
const steadyRate = 20_000

// Bounds of the keys of a size: many, but few enough that all sizes stay in Redis.
const (
	maxKeys  = 10_000
	keyBytes = 16 << 20
)

// String names a row, in words that -only is matched against.
func (r row) String() string {
	s := fmt.Sprintf("%s of %d bytes, P=%d", r.command, r.bytes, r.depth)
	if r.rate > 0 {
		s += fmt.Sprintf(", at %d/s", r.rate)
	}
	if r.cross {
		s += ", by redis-benchmark"
	}
	return s
}

// plan lists the rows, in the order of the tables.
func plan() []row {
	var rows []row
	for _, size := range []int{small, image} {
		for _, p := range []int{1, 16} {
			rows = append(rows, row{command: "SET", bytes: size, depth: p, conns: 50})
		}
	}
	for _, p := range []int{1, 4, 16, 64} {
		rows = append(rows, row{command: "GET", bytes: small, depth: p, conns: 50})
	}
	rows = append(
		rows,
		row{command: "GET", bytes: image, depth: 1, conns: 50},
		row{command: "GET", bytes: image, depth: 16, conns: 50},
		row{command: "GET", bytes: 16 << 10, depth: 1, conns: 50},
		row{command: "GET", bytes: 128 << 10, depth: 1, conns: 50},
		row{command: "GET", bytes: one, depth: 1, conns: 16},
		row{command: "GET", bytes: whole, depth: 1, conns: 2},
		row{command: "MGET 64", bytes: small, depth: 1, conns: 50},
		row{command: "MGET 64", bytes: image, depth: 1, conns: 50},
	)
	return append(rows, row{command: "GET", bytes: small, depth: 1, conns: 50, rate: steadyRate})
}

// basic tells whether a row is a GET or SET of small values, at a depth that has goals.
func (r row) basic() bool {
	return r.command != "MGET 64" && r.bytes == small && r.rate == 0 && (r.depth == 1 || r.depth == 16)
}

// targets are those that a row is measured against. A near copy answers reads; events concern GETs of small values most.
func (r row) targets() []string {
	switch {
	case r.command == "SET":
		return []string{direct, twemproxy, forebay}
	case r.basic():
		return []string{direct, twemproxy, forebay, near, kafka}
	}
	return []string{direct, twemproxy, forebay, near}
}

// crossed is the same row by redis-benchmark, of those that it measures, too.
func (r row) crossed() (row, bool) {
	r.cross = true
	return r, r.basic()
}

// crossed tells whether redis-benchmark measures a target.
func (t target) crossed() bool { return t.name == direct || t.name == twemproxy || t.name == forebay }

// options are the load of a row for a target.
func (r row) options(t target) load.Options {
	o := load.Options{Conns: r.conns, Depth: r.depth, Bytes: r.bytes, Rate: float64(r.rate), Keys: keys(t.prefix, r.bytes), Seed: 1}
	switch r.command {
	case "SET":
		o.Sets = 1
	case "MGET 64":
		o.Width = 64
	}
	return o
}

// keys are those of a size. Their numbers are a 1 and the twelve digits that redis-benchmark makes of __rand_int__.
func keys(prefix string, size int) load.Keys {
	return load.Keys{Prefix: fmt.Sprintf("%s%d:", prefix, size), First: 1_000_000_000_000, Count: min(max(keyBytes/size, 1), maxKeys)}
}

// goal is what Forebay is to reach.
type goal struct {
	row
	of, to string
	want   float64 // the least ratio
}

// goals are those of rates, in the order of the plan.
func goals() (list []goal) {
	for _, r := range plan() {
		if r.rate > 0 {
			continue
		}
		add := func(of, to string, want float64) { list = append(list, goal{r, of, to, want}) }
		deep := r.depth == 16
		switch {
		case r.bytes == one:
			add(near, direct, 0.9)
			add(forebay, direct, 0.4)
		case r.bytes == whole:
			add(near, direct, 0.9)
			add(forebay, direct, 0.65)
		case r.command == "MGET 64":
			add(near, direct, 1)
		case r.bytes > image || r.depth != 1 && !deep:
		default:
			if r.command == "GET" {
				add(near, direct, choose(deep && r.bytes == image, 1.5, 1))
			}
			add(forebay, twemproxy, choose(deep, 1.5, 1))
			if slices.Contains(r.targets(), kafka) {
				add(kafka, forebay, 0.85)
			}
		}
	}
	return list
}

func choose(yes bool, a, b float64) float64 {
	if yes {
		return a
	}
	return b
}
