package linear

import (
	"cmp"
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

	mu      sync.Mutex
	ops     [][]porcupine.Operation // by group
	refused [][]refusal             // by group
}

// refusal is an operation that was answered with an error, and so was not done: it explains no answer, and is told where one is not explained.
type refusal struct {
	op     porcupine.Operation
	why    string
	frames [][]string // of its command
}

// NewHistory begins a history: its clock starts now.
func NewHistory(groups []Group) *History {
	return &History{groups: groups, begun: time.Now(), ops: make([][]porcupine.Operation, len(groups)), refused: make([][]refusal, len(groups))}
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

// refuse adds the parts of a command that was answered with an error.
func (h *History) refuse(client int, c *Command, why string, call, ret int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range c.Parts {
		op := porcupine.Operation{ClientId: client, Input: operation{steps: []Step{p.Step}}, Output: []Answer(nil), Call: call, Return: ret}
		h.refused[p.Group] = append(h.refused[p.Group], refusal{op, why, c.Frames})
	}
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

// Count is how many operations have a step of a kind, and an end.
func (h *History) Count(kind Kind) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ops := range h.ops {
		for _, op := range ops {
			if op.Return != math.MaxInt64 && slices.ContainsFunc(op.Input.(operation).steps, func(s Step) bool { return s.Kind == kind }) {
				n++
			}
		}
	}
	return n
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
	return fmt.Sprintf("%s: no order of its operations explains their answers; * is where the longest explanation ends, ! what was refused:\n%s", v.Group, v.Text)
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

// explain tells of the operations about the first one that the longest explanation lacks, and of those that were refused meanwhile.
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
	sorted = sorted[max(0, first-around):min(len(sorted), max(first, 0)+around)]
	if len(sorted) == 0 {
		return ""
	}
	lines := make([]line, 0, len(sorted))
	for _, op := range sorted {
		mark := ' '
		if !has(op) {
			mark = '*'
		}
		lines = append(lines, line{op.Call, fmt.Sprintf("%c %s\n", mark, describe(op))})
	}
	for _, r := range h.refused[group] {
		if r.op.Return >= sorted[0].Call && r.op.Call <= sorted[len(sorted)-1].Call {
			lines = append(lines, line{r.op.Call, fmt.Sprintf("! %s, refused: %q of %v\n", describe(r.op), r.why, r.frames)})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.call, b.call) })
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text)
	}
	return b.String()
}

// line is one of an explanation, with the time of its operation's call.
type line struct {
	call int64
	text string
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
