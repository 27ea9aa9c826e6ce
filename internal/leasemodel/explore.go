package leasemodel

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"
)

// Result is what an exploration found.
type Result struct {
	States  int // distinct ones, up to names and order
	Steps   int // that they allow, together
	Depth   int // of the farthest
	Took    time.Duration
	Whole   bool     // every state was reached: neither their number nor the room for loads was too small
	Problem string   // "": none
	Trace   []string // the shortest way to it
}

// node is how a state was first reached.
type node struct {
	from int32
	step step
}

// Explore visits every state that a scenario can reach, those of fewer steps first, at most so many, until it finds a problem. A state is remembered by a
// 64-bit hash: among ten million, two are taken for one with a probability of one in 300,000. It takes about 30 bytes a state, and the states of two depths.
//
//go:norace
func (sc Scenario) Explore(most int) Result {
	return sc.explore(most, sc.Rules == Rules{} && !sc.Whole)
}

//go:norace
func (sc Scenario) explore(most int, reduces bool) (res Result) {
	start := time.Now()
	x := &steps{Scenario: &sc, seed: maphash.MakeSeed(), reduces: reduces}
	seen := newHashes()
	first, h := x.canonical(new(sc.begin()))
	seen.add(h)
	nodes := []node{{from: -1}}
	level, base := []state{first}, 0
	res.Whole = true
	for len(level) > 0 {
		var next []state
		after := len(nodes)
		for i := range level {
			for _, m := range x.next(&level[i]) {
				res.Steps++
				res.Whole = res.Whole && !m.crowded
				if m.crowded {
					continue
				}
				c, h := x.canonical(&m.state)
				if !seen.add(h) && m.problem == "" {
					continue
				}
				nodes = append(nodes, node{int32(base + i), m.step})
				if res.Problem = m.problem; res.Problem != "" {
					res.Trace = x.trace(nodes, len(nodes)-1, m.problem)
				}
				if res.Problem != "" || len(nodes) >= most {
					res.Whole = false
					res.States, res.Took = len(nodes), time.Since(start)
					return res
				}
				next = append(next, c)
			}
		}
		level, base = next, after
		if len(level) > 0 {
			res.Depth++
		}
	}
	res.States, res.Took = len(nodes), time.Since(start)
	return res
}

// hashes is a set.
type hashes struct {
	table []uint64
	count int
}

//go:norace
func newHashes() *hashes { return &hashes{table: make([]uint64, 1<<12)} }

// add tells whether the hash is new.
//
//go:norace
func (s *hashes) add(h uint64) bool {
	if h == 0 {
		h = 1
	}
	if 2*s.count >= len(s.table) {
		old := s.table
		s.table = make([]uint64, 2*len(old))
		for _, h := range old {
			if h != 0 {
				s.table[s.place(h)] = h
			}
		}
	}
	at := s.place(h)
	if s.table[at] == h {
		return false
	}
	s.table[at] = h
	s.count++
	return true
}

//go:norace
func (s *hashes) place(h uint64) int {
	at := int(h & uint64(len(s.table)-1))
	for s.table[at] != 0 && s.table[at] != h {
		at = (at + 1) & (len(s.table) - 1)
	}
	return at
}

// path returns the steps to a node.
//
//go:norace
func path(nodes []node, at int) (list []step) {
	for ; nodes[at].from >= 0; at = int(nodes[at].from) {
		list = append(list, nodes[at].step)
	}
	slices.Reverse(list)
	return list
}

func (r Result) String() string {
	whole := "not all"
	if r.Whole {
		whole = "all"
	}
	return fmt.Sprintf("%d states, %s, %d steps, at most %d of them to each, in %.1f s", r.States, whole, r.Steps, r.Depth, r.Took.Seconds())
}

// Way is the trace as text, with numbers.
func (r Result) Way() string {
	var b strings.Builder
	for i, line := range r.Trace {
		fmt.Fprintf(&b, "%3d  %s\n", i+1, line)
	}
	return b.String()
}
