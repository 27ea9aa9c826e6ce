package difftest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Difference is the first place where two servers told a client different things.
type Difference struct {
	Client    int
	Step      *Step // nil: of a message, or of the connection's end
	Got, Want string
}

// Where tells where the difference is: at which client's which command.
func (d *Difference) Where() string {
	what := "messages, or the end"
	if d.Step != nil {
		what = fmt.Sprintf("%.300s", d.Step)
	}
	return fmt.Sprintf("client %d: %s", d.Client, what)
}

// String tells the difference in lines.
func (d *Difference) String() string {
	return fmt.Sprintf("%s\n got  %.400q\n want %.400q", d.Where(), d.Got, d.Want)
}

// Rules say what may differ besides what Redis itself leaves open. The zero value is strict.
type Rules struct {
	// Removed: how many keys a command removed is not compared, since one of the servers did not hold them all.
	Removed bool
	// Own is how many keys the first server holds that its clients are not to see but in DBSIZE, until they are flushed.
	Own int
}

// Compare returns the first difference between what two servers told the clients of one stream, nil if there is none. Replies to hidden steps
// are left out.
func Compare(got, want []Transcript, rules Rules) *Difference {
	for c := range want {
		g, w := got[c].visible(), want[c].visible()
		for i := range max(len(g), len(w)) {
			switch {
			case i >= len(g):
				return &Difference{c, w[i].Step, "nothing: " + got[c].End, w[i].Raw}
			case i >= len(w):
				return &Difference{c, g[i].Step, g[i].Raw, "nothing: " + want[c].End}
			}
			if !rules.same(g[i].Step, g[i].tx, g[i].Raw, w[i].Raw) {
				return &Difference{c, w[i].Step, g[i].Raw, w[i].Raw}
			}
		}
		if got[c].End != want[c].End {
			return &Difference{c, nil, "end: " + got[c].End, "end: " + want[c].End}
		}
		if !slices.Equal(got[c].Messages, want[c].Messages) {
			return &Difference{c, nil, fmt.Sprint(got[c].Messages), fmt.Sprint(want[c].Messages)}
		}
	}
	return nil
}

func (t *Transcript) visible() []Reply {
	return slices.DeleteFunc(slices.Clone(t.Replies), func(r Reply) bool { return r.Step.Hidden })
}

// same tells whether two replies to a step are equal, but for what the step leaves open.
func (r Rules) same(st *Step, tx []*Step, a, b string) bool {
	if a == b {
		return true
	}
	if len(tx) > 0 {
		x, y := elements(a), elements(b)
		if len(x) != len(y) || len(x) != len(tx) {
			return false
		}
		for i := range x {
			if !r.same(tx[i], nil, x[i], y[i]) {
				return false
			}
		}
		return true
	}
	switch st.name() {
	case "smembers", "sinter", "sunion", "sdiff", "keys", "pubsub", "hgetall", "hkeys", "hvals":
		return sorted(a) == sorted(b)
	case "ttl", "expiretime":
		return near(a, b, 30)
	case "pttl", "pexpiretime":
		return near(a, b, 30_000)
	case "del", "unlink":
		return r.Removed && a[0] == ':' && b[0] == ':'
	case "dbsize":
		return r.Own > 0 && sum(a, -r.Own) == sum(b, 0)
	case "randomkey":
		return isNull(a) == isNull(b) && a[0] != '-' && b[0] != '-'
	case "scan", "hscan":
		return anyOrder(a) == anyOrder(b)
	case "unsubscribe", "punsubscribe", "sunsubscribe": // of all: their order is Redis's
		return len(st.Words) == 1 && anyOrder(a) == anyOrder(b)
	case "hello":
		return withoutID(a) == withoutID(b)
	}
	return false
}

// sorted is an aggregate with its elements in one order: pairs stay together.
func sorted(b string) string {
	list := elements(b)
	if b[0] == '%' {
		var pairs []string
		for i := 0; i+1 < len(list); i += 2 {
			pairs = append(pairs, list[i]+list[i+1])
		}
		list = pairs
	}
	slices.Sort(list)
	head, _, _ := strings.Cut(b, "\n")
	return head + strings.Join(list, "")
}

// near tells whether two times that are left, or of expiry, are those of one expiry.
func near(a, b string, tolerance int) bool {
	x, err1 := strconv.Atoi(strings.TrimSpace(a[1:]))
	y, err2 := strconv.Atoi(strings.TrimSpace(b[1:]))
	return err1 == nil && err2 == nil && x > 0 && y > 0 && max(x-y, y-x) <= tolerance
}

// sum is an integer reply and n.
func sum(b string, n int) int {
	i, err := strconv.Atoi(strings.TrimSpace(b[1:]))
	if err != nil || b[0] != ':' {
		return -1
	}
	return i + n
}

// isNull tells whether a reply is null in either protocol.
func isNull(b string) bool { return b[0] == '_' || strings.HasPrefix(b, "$-1") }

// withoutID takes the client's id out of HELLO's reply.
func withoutID(b string) string {
	const mark = "$2\r\nid\r\n:"
	before, after, ok := strings.Cut(b, mark)
	if !ok {
		return b
	}
	_, after, _ = strings.Cut(after, "\r\n")
	return before + mark + after
}

// anyOrder is a reply of several lines with the lines in one order.
func anyOrder(b string) string {
	lines := strings.Split(b, "\r\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
