package difftest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// What routed keys are in a stream: its Rows.
const (
	NoRows      = ""
	RowsPresent = "present" // both servers hold the rows from the beginning
	RowsAbsent  = "absent"  // Forebay's Redis holds none
)

// RowsPerClient is how many routed ids a client has: those of client c begin at c×RowsPerClient.
const RowsPerClient = 8

// Generate makes the stream of a seed: the same for the same seed and rows.
func Generate(seed uint64, rows string) (*Stream, error) {
	text := commandsText
	switch rows {
	case RowsAbsent:
		text = routedText
	case RowsPresent:
		text += routedText
	}
	table, err := parseTemplates(text)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(seed, uint64(len(rows))))
	s := &Stream{Seed: seed, Rows: rows}
	clients := make([]*author, []int{1, 1, 2, 3, 4}[rng.IntN(5)])
	for i := range clients {
		clients[i] = &author{rng: rng, table: table, id: i, alone: len(clients) == 1, rows: rows}
	}
	for range 2 + rng.IntN(6) {
		depth := []int{1, 4, 12, 30, 120}[rng.IntN(5)]
		for range 1 + rng.IntN(depth*len(clients)) {
			a := clients[rng.IntN(len(clients))]
			s.Steps = append(s.Steps, a.step())
		}
		s.Steps = append(s.Steps, Step{Sync: true})
		if len(clients) > 1 && rows == NoRows && rng.IntN(2) == 0 {
			s.Steps = append(s.Steps, clients[rng.IntN(len(clients))].across(rng.IntN(len(clients)))...)
		}
	}
	if rows == NoRows && rng.IntN(3) == 0 {
		s.Steps = append(s.Steps, clients[0].farewell())
	}
	return s, nil
}

// author writes one client's commands.
type author struct {
	rng   *rand.Rand
	table *templates
	id    int
	alone bool
	rows  string
	inTx  bool
	skip  bool // the last command was CLIENT REPLY SKIP
}

func (a *author) step() Step {
	for {
		row := a.table.pick(a.rng.IntN(a.table.weight))
		if row.alone && (!a.alone || a.rows != NoRows) || row.free && a.inTx || row.rows != "" && row.rows != a.rows {
			continue
		}
		if a.rows == RowsAbsent && !a.alone && row.words[0] == "EVAL" {
			continue // it may write any key: what others load is not to be used, and may end in an error that says so
		}
		if a.skip && strings.Contains(strings.ToLower(row.words[0]), "subscribe") {
			continue // Redis keeps back only a part of its confirmations
		}
		a.skip = row.words[0] == "CLIENT" && row.words[len(row.words)-1] == "SKIP"
		words := make([]string, len(row.words))
		for i, w := range row.words {
			words[i] = a.fill(w)
		}
		return a.finish(words)
	}
}

// finish makes some commands wrong, some inline, and follows transactions.
func (a *author) finish(words []string) Step {
	name := strings.ToLower(words[0])
	switch {
	case a.rows == RowsAbsent:
	case name == "spop", strings.HasSuffix(name, "randmember"): // without a count they choose
	case name == "pubsub": // of all channels, everybody's
	case name == "keys", name == "scan", name == "randomkey", name == "swapdb", name == "flushall", name == "flushdb", name == "client", name == "command", name == "fcall", name == "object":
	case a.rng.IntN(40) == 0 && len(words) > 1:
		words = words[:len(words)-1]
	case a.rng.IntN(60) == 0:
		words = append(words, fmt.Sprintf("c%d:more", a.id)) // it may be taken for a key
	}
	switch name {
	case "multi":
		a.inTx = a.inTx || len(words) == 1
	case "discard", "reset":
		a.inTx = a.inTx && len(words) > 1
	case "exec": // a wrong one discards
		a.inTx = false
	}
	switch a.rng.IntN(12) {
	case 0:
		words[0] = name
	case 1:
		if name != "" {
			words[0] = strings.ToUpper(name[:1]) + name[1:]
		}
	}
	if a.rng.IntN(30) == 0 && !slices.Contains([]string{
		"multi", "exec", "discard", "reset", "subscribe", "unsubscribe",
		"psubscribe", "punsubscribe", "ssubscribe", "sunsubscribe", "client", "hello",
	}, name) {
		if line, ok := inline(words); ok && a.rows != RowsAbsent {
			return Step{Client: a.id, Raw: line}
		}
	}
	return Step{Client: a.id, Words: words}
}

// inline is the command as a line; ok is false for what is compared by its name, or cannot be typed.
func inline(words []string) (string, bool) {
	switch strings.ToLower(words[0]) {
	case "get", "set", "mget", "incr", "lrange", "echo", "ping", "append", "rpush", "hset":
	default:
		return "", false
	}
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteByte('"')
		for _, c := range []byte(w) {
			if c == '"' || c == '\\' || c < ' ' || c > '~' {
				fmt.Fprintf(&b, `\x%02x`, c)
				continue
			}
			b.WriteByte(c)
		}
		b.WriteByte('"')
	}
	b.WriteString("\r\n")
	return b.String(), b.Len() < 60_000
}

// across is what one client does to another: a message, or what one waits for. The barriers make its outcome certain.
func (a *author) across(other int) []Step {
	if other == a.id || a.inTx {
		return nil
	}
	ch := fmt.Sprintf("c%d:ch%d", other, a.rng.IntN(3))
	return []Step{
		{Client: a.id, Words: []string{"PUBLISH", ch, a.value()}},
		{Sync: true},
		{Client: other, Words: []string{"PING"}},
		{Sync: true},
	}
}

// farewell ends the client's connection: what stands before it is answered, what is behind it is not.
func (a *author) farewell() Step {
	bad := []string{
		"*1\r\n$4\r\nQUIT\r\n", "QUIT\r\n", "*x\r\n", "*1\r\n$-1\r\n", "*1\r\n:1\r\n", "*2\r\n$3\r\nGET\r\n$abc\r\n", "GET \"unbalanced\r\n",
		"*99999999999\r\n", "*1\r\n$99999999999\r\n", "*0\r\n*-1\r\n\r\n*1\r\n$4\r\nquit\r\n",
	}
	return Step{Client: a.id, Raw: bad[a.rng.IntN(len(bad))]}
}
