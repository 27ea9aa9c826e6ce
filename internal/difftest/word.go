package difftest

import (
	"fmt"
	"strconv"
	"strings"
)

// fill puts what the placeholders of a template's word stand for.
func (a *author) fill(w string) string {
	if w == "$" { // of XREAD: what comes from now on
		return w
	}
	if strings.Contains(w, " ") || strings.Contains(w, "$c") && w != "$ch" {
		return strings.ReplaceAll(w, "$c", fmt.Sprint("c", a.id))
	}
	name, ok := strings.CutPrefix(w, "$")
	if !ok {
		return w
	}
	switch name {
	case "k", "l", "s", "z", "h", "x", "b", "p", "g":
		return a.key(name)
	case "a":
		return a.key(string("klszhxbpg"[a.rng.IntN(9)]))
	case "r":
		return "t:" + a.row()
	case "e":
		return "h:" + a.row()
	case "q":
		return []string{"data", "n", "none", "extra"}[a.rng.IntN(4)]
	case "v":
		return a.value()
	case "w":
		return a.word()
	case "n":
		return strconv.Itoa(a.rng.IntN(9) - 4)
	case "i":
		return strconv.Itoa(a.rng.IntN(12))
	case "f":
		return []string{"1", "2.5", "-3", "1e3", "0.1", "17", "inf", "3.0", "-0", "1e17"}[a.rng.IntN(10)]
	case "t":
		return strconv.Itoa(100_000 + a.rng.IntN(3)*100_000)
	case "id":
		return fmt.Sprintf("%d-%d", 1+a.rng.IntN(30), a.rng.IntN(3))
	case "ch":
		return fmt.Sprintf("c%d:ch%d", a.id, a.rng.IntN(3))
	case "pat":
		return fmt.Sprintf("c%d:*", a.id)
	case "db":
		return strconv.Itoa(1 + 3*a.id + a.rng.IntN(3))
	}
	return w
}

// key is one of the client's own keys for a type; now and then it is one of another type.
func (a *author) key(kind string) string {
	if a.rng.IntN(40) == 0 {
		kind = string("klszhxbpg"[a.rng.IntN(9)])
	}
	return fmt.Sprintf("c%d:%s%d", a.id, kind, a.rng.IntN(3))
}

// row is one of the client's own routed ids.
func (a *author) row() string { return strconv.Itoa(a.id*RowsPerClient + a.rng.IntN(RowsPerClient)) }

func (a *author) word() string {
	return []string{"a", "b", "c", "d", "one", "two", "3", ""}[a.rng.IntN(8)]
}

// value is a number, a word, bytes of all kinds, or much; rarely so much that it is streamed.
func (a *author) value() string {
	switch n := a.rng.IntN(200); {
	case n < 60:
		return strconv.Itoa(a.rng.IntN(1000) - 100)
	case n < 100:
		return a.word()
	case n < 120:
		return []string{"", "\r\n", "$-1\r\n", "*1\r\n", "\x00\xff", "_\r\n", "-ERR no\r\n", "+OK\r\n", "message", "3.14"}[a.rng.IntN(10)]
	case n < 150:
		b := make([]byte, a.rng.IntN(40))
		for i := range b {
			b[i] = byte(a.rng.IntN(256))
		}
		return string(b)
	case n < 190:
		return strings.Repeat(string(rune('a'+a.rng.IntN(26))), a.rng.IntN(300))
	case n < 198:
		return strings.Repeat("lorem ipsum ", a.rng.IntN(3000))
	default:
		return strings.Repeat("0123456789abcdef", (200<<10+a.rng.IntN(200<<10))/16)
	}
}
