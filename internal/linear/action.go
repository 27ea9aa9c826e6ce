package linear

import (
	"fmt"
	"slices"
)

// Kind is what a step does to its key.
type Kind uint8

// The kinds of steps. What is not said to be an answer is not looked at.
const (
	Get        Kind = iota // answers the value
	Set                    // Arg
	Del                    // answers how many were there
	GetDel                 // answers the value
	Append                 // Arg; answers the length
	Incr                   // answers the number
	Swap                   // Arg, by a script; answers the old value
	Row                    // Arg is in the source now; "" is no row. No command
	Refresh                // is a Del, after which the source's last row is the only one
	Invalidate             // is a Refresh, by FOREBAY INVALIDATE
)

var kindNames = [...]string{"GET", "SET", "DEL", "GETDEL", "APPEND", "INCR", "SWAP", "ROW", "REFRESH", "INVALIDATE"}

func (k Kind) String() string { return kindNames[k] }

// writes tells whether the step may change anything.
func (k Kind) writes() bool { return k != Get }

// Step is one thing done to one key of a group.
type Step struct {
	Kind Kind
	Key  int // which of the group's
	Arg  string
}

// Answer is what a step was answered: a value or a number as text, or Nil.
type Answer struct {
	Nil  bool
	Text string
}

// Text is an answer that is not nil.
func Text(s string) Answer { return Answer{Text: s} }

// Nil is the answer that nothing is there.
func Nil() Answer { return Answer{Nil: true} }

func (a Answer) String() string {
	if a.Nil {
		return "nil"
	}
	return a.Text
}

// Cell is the state of one key.
type Cell struct {
	Routed bool
	Held   bool // a client's value is there: Value
	gone   bool // within one transaction: it has deleted the key
	Value  string
	// Rows are what the source may be thought to hold, the last of them last: one, or two while a writer is between row and DEL. "" is no row.
	Rows  [2]string
	Count int
}

// Routed is the cell of a routed key with a row and nothing in Redis.
func Routed(row string) Cell { return Cell{Routed: true, Rows: [2]string{row}, Count: 1} }

// Plain is the cell of a key without a route.
func Plain() Cell { return Cell{} }

// With returns the cell with a client's value.
func (c Cell) With(value string) Cell {
	c.Held, c.gone, c.Value = true, false, value
	return c
}

func (c Cell) without() Cell {
	c.Held, c.gone, c.Value = false, true, ""
	return c
}

func (c Cell) String() string {
	if c.Held {
		return fmt.Sprintf("%q", c.Value)
	}
	return fmt.Sprintf("row %q", c.Rows[:c.Count])
}

// seen are the answers that a read may get. A loose one may find nothing where there is a row.
func (c Cell) seen(loose bool) []Answer {
	if c.Held {
		return []Answer{Text(c.Value)}
	}
	if c.gone {
		return []Answer{Nil()}
	}
	var list []Answer
	for _, row := range c.Rows[:c.Count] {
		if row == "" {
			list = append(list, Nil())
		} else {
			list = append(list, Text(row))
		}
	}
	if list == nil || loose && !slices.Contains(list, Nil()) {
		list = append(list, Nil())
	}
	return list
}
