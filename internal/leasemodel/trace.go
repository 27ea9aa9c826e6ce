package leasemodel

import (
	"fmt"
	"slices"
	"strings"
)

// trace writes the way to a node, under names that stay: the steps were noted in canonical states, so of each only its kind is known, and whatever
// ends in the problem is found among all ways of such steps. It does so without reductions: what only they made wrong has no trace.
func (x *steps) trace(nodes []node, at int, problem string) (lines []string) {
	type place struct {
		from *place
		move move
	}
	level := []*place{{move: move{state: x.begin()}}}
	for _, st := range path(nodes, at) {
		seen := map[state]bool{}
		var next []*place
		for _, p := range level {
			for _, m := range x.next(&p.move.state) {
				if m.step.act == st.act && !m.crowded && !seen[m.state] {
					seen[m.state] = true
					next = append(next, &place{p, m})
				}
			}
		}
		level = next
	}
	for _, p := range level {
		if p.move.problem != problem {
			continue
		}
		for ; p.from != nil; p = p.from {
			lines = append(lines, x.line(&p.from.move.state, &p.move))
		}
		slices.Reverse(lines)
		return lines
	}
	return []string{"no way to it without reductions"}
}

// line writes one step and what Redis and the source hold after it.
func (sc *Scenario) line(from *state, m *move) string {
	what := sc.describe(from, m.step, &m.state)
	for i := range m.readers {
		if from.readers[i].phase == rWaiting && m.readers[i].phase == rDone && m.step.act != aCrash {
			what += fmt.Sprintf("; R%d has its answer", i+1)
		}
	}
	r := &m.redis
	lease := "-"
	switch r.Lease.State {
	case Held:
		lease = fmt.Sprintf("g%d t%d", r.Lease.Generation, r.Lease.Token)
	case Marker:
		lease = fmt.Sprintf("g%d no row", r.Lease.Generation)
	}
	line := fmt.Sprintf("%-66s redis: %s, lease %s, g%d; source: row %d", what, show(r.Value), lease, r.Generation, m.row)
	if m.problem != "" {
		line += "\n    " + strings.ToUpper(m.problem)
	}
	return line
}

func show(v Value) string {
	switch {
	case v == 0:
		return "nothing"
	case v.isClients():
		return fmt.Sprintf("a client's %d", v-rowValues-1)
	default:
		return fmt.Sprintf("row %d", v.version())
	}
}

var writes = [...]string{"", "DEL of the key", "SET of the key", "a command of unknown keys"}

func (sc *Scenario) describe(s *state, st step, to *state) string {
	i := int(st.who)
	switch st.act {
	case aMiss:
		return fmt.Sprintf("R%d asks P%d: nothing in redis", i+1, st.how+1)
	case aJoin:
		r := &to.readers[i]
		late := ""
		if r.late {
			late = ", too late for its value"
		}
		return fmt.Sprintf("R%d is with flight F%d of P%d%s", i+1, r.load, r.proxy+1, late)
	case aChange:
		return fmt.Sprintf("W%d changes the source to row %d", i+1, to.row)
	case aDrop:
		return fmt.Sprintf("W%d by P%d: %s is to come; leases dropped", i+1, st.how+1, writes[s.writers[i].kind])
	case aNote, aFence:
		return fmt.Sprintf("W%d by P%d: fences what P%d loads", i+1, s.writers[i].proxy+1, s.writers[i].proxy+1)
	case aWrite:
		return fmt.Sprintf("W%d by P%d: %s is done", i+1, s.writers[i].proxy+1, writes[s.writers[i].kind])
	case aEndLease, aEvict, aEvictGeneration, aEvictArea, aCrash, aRefresh, aAhead:
		return describeWorld(st)
	default:
		l := &s.loads[i]
		return fmt.Sprintf("%s of P%d: %s", l.name(i), l.proxy+1, describeLoad(l, st))
	}
}

func (l *load) name(i int) string {
	switch {
	case l.dead:
		return fmt.Sprintf("F%d (dead)", i+1)
	case l.kind == refreshes:
		return fmt.Sprintf("refresh F%d", i+1)
	case l.kind == readsAhead:
		return fmt.Sprintf("reading ahead F%d", i+1)
	default:
		return fmt.Sprintf("F%d", i+1)
	}
}

func describeWorld(st step) string {
	switch st.act {
	case aEndLease:
		return "the lease ends"
	case aEvict:
		return "the value is evicted"
	case aEvictGeneration:
		return "the generation is evicted"
	case aEvictArea:
		return "the area is evicted"
	case aCrash:
		return fmt.Sprintf("P%d dies and is started anew", st.who+1)
	case aRefresh:
		return fmt.Sprintf("P%d begins to refresh the value", st.who+1)
	default:
		return fmt.Sprintf("P%d begins to read the partition ahead", st.who+1)
	}
}

var endings = [...]string{"FILL", "MARK", "CHECK", "FAIL", "KEEP", "REFRESH"}

func describeLoad(l *load, st step) string {
	switch st.act {
	case aAsk:
		return "sends ACQUIRE"
	case aDropped:
		return "was dropped while it waited"
	case aAcquire:
		return "ACQUIRE is done"
	case aAnswer:
		return "hears of " + show(l.found)
	case aLookAgain:
		return "looks once more, for all"
	case aQuery, aReadAhead:
		return "the source reads its row"
	case aQueryFails:
		return "the source fails"
	case aTakeRow:
		return "takes the row that was read ahead"
	case aFinish:
		return fmt.Sprintf("has %s, sends %s", show(l.row), endings[st.how])
	case aSettle:
		if st.how == 1 {
			return endings[l.do] + " is done; redis is full"
		}
		return endings[l.do] + " is done"
	case aSettled:
		if l.fits {
			return "it fitted"
		}
		return "it is refused"
	case aEnter:
		return "ENTER is done"
	case aStoreAhead:
		return "is about to store its row"
	case aBreakAsk:
		return "the connection ends; ACQUIRE is sent again"
	default: // aBreakSettle
		return "the connection ends, FILL is on it"
	}
}
