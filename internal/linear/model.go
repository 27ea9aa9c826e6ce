package linear

import (
	"slices"
	"strconv"

	"github.com/anishathalye/porcupine"
)

// maxKeys is how many keys a group may have.
const maxKeys = 2

// state is that of a group. It is comparable: porcupine remembers those it has been in.
type state [maxKeys]Cell

// model is the group as one machine would do it.
func model(start []Cell) porcupine.Model {
	var first state
	copy(first[:], start)
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{first} },
		Step: func(s, input, output any) []any {
			var next []any
			for _, n := range run(s.(state), input.(operation), output.([]Answer)) {
				next = append(next, n)
			}
			return next
		},
	}
	return m.ToModel()
}

// operation is the steps that one client did to a group at once.
type operation struct {
	steps []Step
	// asks tells whether Redis must find a value for a step, or for one of a transaction that writes, this group or another.
	asks bool
	// loose are the keys that others have deleted meanwhile (see loosen).
	loose [maxKeys]bool
	// later are those of loose whose row was changed meanwhile, too: a GET or GETDEL of the transaction may give a row of after it.
	later [maxKeys]bool
}

// run does the steps at once and returns the states in which they may end: none if the answers cannot be these. Without answers the outcome is
// not known, and may be that nothing was done.
func run(s state, op operation, answers []Answer) []state {
	states := []state{s}
	for i, st := range op.steps {
		var next []state
		for _, s := range states {
			for _, e := range s[st.Key].after(st, op.loose[st.Key]) {
				if answers != nil && !e.answers(answers[i]) && !((st.Kind == Get || st.Kind == GetDel) && op.later[st.Key] && op.loose[st.Key]) {
					continue
				}
				n := s
				n[st.Key] = e.cell
				if !slices.Contains(next, n) {
					next = append(next, n)
				}
			}
		}
		states = next
	}
	for i := range states {
		for k := range states[i] {
			states[i][k].gone = false
		}
	}
	if answers == nil && !slices.Contains(states, s) {
		states = append(states, s)
	}
	return states
}

// effect is a way in which a step may turn out.
type effect struct {
	cell   Cell
	answer Answer
	any    bool // whatever the answer
}

func (e effect) answers(a Answer) bool { return e.any || e.answer == a }

// after returns the ways in which a step may turn out.
func (c Cell) after(st Step, loose bool) (list []effect) {
	switch st.Kind {
	case Set:
		return []effect{{cell: c.With(st.Arg), any: true}}
	case Row:
		c.Rows, c.Count = [2]string{c.Rows[max(0, c.Count-1)], st.Arg}, 2
		return []effect{{cell: c, any: true}}
	case Refresh, Invalidate:
		if c.Count > 1 {
			c.Rows, c.Count = [2]string{c.Rows[1]}, 1
		}
		return c.deleted()
	case Del:
		return c.deleted()
	}
	for _, a := range c.seen(loose) {
		if e, ok := c.change(st, a); ok {
			list = append(list, e)
		}
	}
	return list
}

// change is what a step that reads makes of the key, of which it has seen a.
func (c Cell) change(st Step, a Answer) (effect, bool) {
	switch st.Kind {
	case Get:
		return effect{cell: c, answer: a}, true
	case GetDel:
		return effect{cell: c.without(), answer: a}, true
	case Swap:
		return effect{cell: c.With(st.Arg), answer: a}, true
	case Append:
		return effect{cell: c.With(a.Text + st.Arg), answer: Text(strconv.Itoa(len(a.Text) + len(st.Arg)))}, true
	default: // Incr
		if a.Nil {
			a.Text = "0"
		}
		n, err := strconv.ParseInt(a.Text, 10, 64)
		v := strconv.FormatInt(n+1, 10)
		return effect{cell: c.With(v), answer: Text(v)}, err == nil
	}
}

// deleted is DEL: where no client has written, a routed key's row may be in Redis, or not.
func (c Cell) deleted() []effect {
	gone := Text("0")
	if c.Held {
		gone = Text("1")
	}
	return []effect{{cell: c.without(), answer: gone, any: c.Routed && !c.Held && !c.gone}}
}
