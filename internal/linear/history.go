package linear

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Group is keys that are checked together, and what they are at the beginning.
type Group struct {
	Name  string
	Keys  []string // at most two
	Start []Cell
}

// History is what was seen of each group. It is safe for concurrent use; the groups are not changed once it is in use.
type History struct {
	groups  []Group
	begun   time.Time
	clients clients

	mu  sync.Mutex
	ops [][]porcupine.Operation // by group
}

// NewHistory begins a history: its clock starts now.
func NewHistory(groups []Group) *History {
	return &History{groups: groups, begun: time.Now(), ops: make([][]porcupine.Operation, len(groups))}
}

// Now is the time of the history, in nanoseconds.
func (h *History) Now() int64 { return int64(time.Since(h.begun)) }

// Record adds an operation of a client on a group that was called and answered then. Without answers its outcome is not known: it has no end, and is left
// out if it only reads. The slices are the history's from now on.
func (h *History) Record(client, group int, steps []Step, answers []Answer, call, ret int64) {
	asks := slices.ContainsFunc(steps, func(s Step) bool { return s.Kind.asks() })
	h.add(client, group, operation{steps: steps, asks: asks}, answers, call, ret)
}

func (h *History) add(client, group int, op operation, answers []Answer, call, ret int64) {
	if answers == nil {
		if !slices.ContainsFunc(op.steps, func(s Step) bool { return s.Kind.writes() }) {
			return
		}
		ret = math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops[group] = append(h.ops[group], porcupine.Operation{ClientId: client, Input: op, Output: answers, Call: call, Return: ret})
}

// Len is how many operations are in the history, and how many of them have an unknown outcome.
func (h *History) Len() (all, open int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ops := range h.ops {
		all += len(ops)
		for _, op := range ops {
			if op.Return == math.MaxInt64 {
				open++
			}
		}
	}
	return all, open
}

// Violation is a group whose history no order explains, or for which none was found or refuted in time.
type Violation struct {
	Group     string
	Undecided bool
	Text      string // the operations about the place where the longest explanation ends
}

func (v *Violation) Error() string {
	if v.Undecided {
		return fmt.Sprintf("%s: not decided in time", v.Group)
	}
	return fmt.Sprintf("%s: no order of its operations explains their answers; * is where the longest explanation ends:\n%s", v.Group, v.Text)
}

// Check looks for an order of every group's operations, for limit at most each, and returns the groups that have none. Call it when all is recorded.
func (h *History) Check(limit time.Duration) (list []*Violation) {
	for i, g := range h.groups {
		loosen(h.ops[i])
		switch porcupine.CheckOperationsTimeout(model(g.Start), h.ops[i], limit) {
		case porcupine.Ok:
		case porcupine.Unknown:
			list = append(list, &Violation{Group: g.Name, Undecided: true})
		default: // once more, with what a reader needs to understand it
			_, info := porcupine.CheckOperationsVerbose(model(g.Start), h.ops[i], limit)
			list = append(list, &Violation{Group: g.Name, Text: h.explain(i, info)})
		}
	}
	return list
}

// explain tells of the operations about the first one that the longest explanation lacks.
func (h *History) explain(group int, info porcupine.LinearizationInfo) string {
	const around = 25
	ops := h.ops[group]
	var longest []porcupine.Operation
	for _, partition := range info.PartialLinearizationsOperations() {
		for _, part := range partition {
			if len(part) > len(longest) {
				longest = part
			}
		}
	}
	has := func(op porcupine.Operation) bool {
		return slices.ContainsFunc(longest, func(o porcupine.Operation) bool {
			return o.ClientId == op.ClientId && o.Call == op.Call && o.Return == op.Return
		})
	}
	sorted := slices.Clone(ops)
	slices.SortFunc(sorted, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	first := slices.IndexFunc(sorted, func(op porcupine.Operation) bool { return !has(op) && op.Return != math.MaxInt64 })
	var b strings.Builder
	for _, op := range sorted[max(0, first-around):min(len(sorted), max(first, 0)+around)] {
		mark := ' '
		if !has(op) {
			mark = '*'
		}
		fmt.Fprintf(&b, "%c %s\n", mark, describe(op))
	}
	return b.String()
}

func describe(op porcupine.Operation) string {
	var b strings.Builder
	end := "     never"
	if op.Return != math.MaxInt64 {
		end = fmt.Sprintf("%10.3f", float64(op.Return)/1e6)
	}
	fmt.Fprintf(&b, "%10.3f to %s ms, client %2d:", float64(op.Call)/1e6, end, op.ClientId)
	answers := op.Output.([]Answer)
	for i, st := range op.Input.(operation).steps {
		fmt.Fprintf(&b, " %v %d %s", st.Kind, st.Key, st.Arg)
		if answers == nil {
			b.WriteString(" = ?")
		} else {
			fmt.Fprintf(&b, " = %v", answers[i])
		}
	}
	return b.String()
}
