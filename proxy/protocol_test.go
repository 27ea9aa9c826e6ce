package proxy_test

import (
	"bufio"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
)

// session sends raw in the pieces given and returns all that comes back. The end of what is sent closes the client's side, unless the server closed first.
func exchange(t testing.TB, addr string, pieces ...string) string {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	must(t, err)
	defer nc.Close()
	must(t, nc.SetDeadline(time.Now().Add(8*time.Second)))
	for _, p := range pieces {
		if _, err := io.WriteString(nc, p); err != nil {
			break
		}
	}
	br := bufio.NewReader(nc)
	var out strings.Builder
	// A last command tells where the replies end: ECHO, by RESP, unless the connection was closed before.
	mark := "the-end-of-it"
	_, _ = io.WriteString(nc, frame("ECHO", mark))
	for {
		line, err := br.ReadString('\n')
		if strings.HasPrefix(line, mark) {
			return strings.TrimSuffix(out.String(), "$13\r\n")
		}
		out.WriteString(line)
		if err != nil {
			return out.String() + "<closed>"
		}
	}
}

// Whatever is sent, the proxy answers byte for byte what Redis answers.
func TestSameRepliesAsRedis(t *testing.T) {
	f := start(t, options{})
	big := strings.Repeat("x", 300_000)
	tests := []struct {
		name string
		send []string
	}{
		{"ping", []string{"PING\r\n"}},
		{"counts that mean nothing", []string{"*0\r\n*-1\r\n*-5\r\n\r\n\n  \r\n" + frame("PING")}},
		{"ping, then a bad count", []string{frame("PING") + "*x\r\n" + frame("SET", "bad", "1")}},
		{"ping, then a size near 2^63", []string{frame("PING") + "*1\r\n$9223372036854775807\r\nx\r\n"}},
		{"a billion and more words", []string{"*2147483648\r\n"}},
		{"a negative size", []string{"*1\r\n$-1\r\n"}},
		{"no dollar", []string{"*1\r\n@4\r\nPING\r\n"}},
		{"no dollar, a line end", []string{"*1\r\n\n\r\n"}},
		{"no dollar, high byte", []string{"*1\r\n\xfe1\r\n"}},
		{"no dollar behind a large word", []string{"*3\r\n$3\r\nSET\r\n$1\r\na\r\n:1\r\n"}},
		{"no line ends behind words and headers", []string{"*2\rX$4\rYECHOZZ$1\r\naZZ"}},
		{"leading zero", []string{"*01\r\n$4\r\nPING\r\n"}},
		{"unbalanced quotes", []string{"GET \"a\r\n"}},
		{"quotes", []string{"SET q \"a\\x41\\n\\\"b\" \r\nGET q\r\nECHO 'it\\'s'\r\nECHO \"\"\r\n"}},
		{"quit, then a flush", []string{frame("SET", "kept", "1") + frame("QUIT") + frame("FLUSHALL")}},
		{"quit with words", []string{frame("QUIT", "now")}},
		{"an empty command", []string{"*1\r\n$0\r\n\r\n"}},
		{"a dripped word", strings.Split(frame("ECHO", "dripping slowly"), "")},
		{"a large value", []string{frame("SET", "big", big) + frame("STRLEN", "big") + frame("GETRANGE", "big", "0", "3")}},
		{"a large value in an unknown command", []string{frame("NOSUCH", big)}},
		{"a large value with a wrong number of words", []string{frame("SET", big)}},
		{"a large key for a read", []string{frame("GET", big)}},
		{"a large name", []string{frame("CLIENT", "SETNAME", big[:270_000])}},
		{"unknown commands", []string{frame("NOSUCH", "a", "b\r\nc", "d\x00e") + frame("\xff\xfe")}},
		{"wrong numbers of words", []string{frames("GET", "GET a b", "SET a", "MGET", "STRLEN", "SELECT", "AUTH", "CLIENT", "EXEC a", "MULTI a", "WATCH", "SUBSCRIBE", "HELLO x y")}},
		{"select", []string{frames("SELECT 15", "SET s 1", "SELECT 16", "GET s", "SELECT -1", "SELECT x", "SELECT 99999999999999999999", "SELECT 4294967296", "SELECT 2147483648", "SELECT 0", "GET s")}},
		{"auth without a password", []string{frames("AUTH x", "AUTH default x", "AUTH nobody x", "AUTH a b c")}},
		{"hello", []string{frames("HELLO 1", "HELLO 4", "HELLO x", "HELLO 3 AUTH", "HELLO 3 FOO", "HELLO 2 SETNAME", "HELLO 3 AUTH nobody x", "HELLO 2 AUTH default x SETNAME a") + frame("HELLO", "2", "SETNAME", "a b")}},
		{"hello, then nulls", []string{frames("GET none", "HELLO 3", "GET none", "HGETALL none", "MGET none none", "HELLO 2", "GET none", "CLIENT GETNAME", "HELLO 3 SETNAME me", "CLIENT GETNAME")}},
		{"multi", []string{frames("MULTI", "SET m 1", "INCR m", "GET m", "EXEC", "EXEC", "DISCARD", "MULTI", "MULTI", "WATCH a", "DISCARD", "MULTI", "NOSUCH", "EXEC", "MULTI", "INCR m", "LPUSH m 1", "EXEC")}},
		{"multi in pieces", []string{frames("MULTI"), frames("SET m 1", "BLPOP none 0"), frames("EXEC")}},
		{"multi by line", []string{"MULTI\r\nSET m 2\r\n", "GET m\r\nEXEC\r\n"}},
		{"multi with select", []string{frames("MULTI", "SELECT 2", "SET m2 1", "EXEC", "GET m2", "SELECT 0", "GET m2")}},
		{"watch", []string{frames("WATCH w", "SET w 1", "MULTI", "GET w", "EXEC", "WATCH w", "UNWATCH", "MULTI", "GET w", "EXEC")}},
		{"scripts", []string{frame("EVAL", "return {1,'a',{2},false}", "0") + frame("EVAL", "return redis.error_reply('MY error')", "0") + frame("EVALSHA", "0000000000000000000000000000000000000000", "0")}},
		{"client", []string{frames("CLIENT SETNAME me", "CLIENT GETNAME", "CLIENT NOSUCH", "CLIENT KILL 1.2.3.4:5", "CLIENT KILL ID x", "CLIENT KILL ID 0", "CLIENT SETNAME") + frame("CLIENT", "SETNAME", "a b") + frames("CLIENT LIST TYPE nosuch", "CLIENT LIST ID x", "CLIENT LIST ID", "CLIENT LIST NOSUCH 1", "CLIENT UNBLOCK x")}},
		{"subscribe", []string{frames("SUBSCRIBE a b", "PSUBSCRIBE p*", "PING", "PING x", "GET a", "UNSUBSCRIBE a", "UNSUBSCRIBE", "PUNSUBSCRIBE", "UNSUBSCRIBE", "PING", "SET after 1")}},
		{"subscribe in resp3", []string{frames("HELLO 3", "SUBSCRIBE a", "SET sub 1", "GET sub", "UNSUBSCRIBE", "PING")}},
		{"shard channels", []string{frames("SSUBSCRIBE a b", "SUNSUBSCRIBE", "SUNSUBSCRIBE", "PING")}},
		{"reset", []string{frames("SELECT 3", "MULTI", "RESET", "CLIENT GETNAME", "SUBSCRIBE a", "RESET", "PING")}},
		{"reply skip", []string{frames("CLIENT REPLY SKIP", "PING", "PING", "CLIENT REPLY OFF", "PING", "CLIENT REPLY ON", "PING")}},
		{"blocking", []string{frames("RPUSH bl 1 2", "BLPOP bl 0", "BLMPOP 1 1 bl LEFT", "BLPOP bl 0.01", "XREAD BLOCK 1 STREAMS x $", "WAIT 0 1", "PING")}},
		{"getrange bounds", []string{frames("SET gr hello", "GETRANGE gr 0 9223372036854775807", "GETRANGE gr -9223372036854775808 -1", "GETRANGE gr 0 9223372036854775808", "GETRANGE gr -3 -5", "SUBSTR gr 1 2", "GETRANGE none 0 1")}},
		{"getex errors", []string{frames("SET ge 1", "GETEX ge EX", "GETEX ge EX 0", "GETEX ge EX 10", "GETEX ge PERSIST", "TTL ge", "GETDEL ge", "GETDEL ge")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f.redis.Do(t, "FLUSHALL")
			want := exchange(t, f.redis.Addr, tt.send...)
			f.redis.Do(t, "FLUSHALL")
			got := exchange(t, f.addr, tt.send...)
			id := regexp.MustCompile(`\$2\r\nid\r\n:\d+`)
			got, want = id.ReplaceAllString(got, "id"), id.ReplaceAllString(want, "id")
			if got != want {
				t.Errorf("got  %.1500q\nwant %.1500q", got, want)
			}
		})
	}
}

// Lines are split as Redis splits them. An unknown command's error shows the words.
func TestSameWordsAsRedis(t *testing.T) {
	f := start(t, options{})
	rng := rand.New(rand.NewPCG(7, 7))
	parts := []string{`"`, `'`, `\`, `\x41`, `\x4`, `\n`, " ", "\t", "\v", "\r", "a", "b", `\"`, `\'`, "\xff", `""`, `''`}
	for range 400 {
		var line strings.Builder
		line.WriteString("NOSUCH ")
		for range 1 + rng.IntN(9) {
			line.WriteString(parts[rng.IntN(len(parts))])
		}
		line.WriteString([]string{"\n", "\r\n"}[rng.IntN(2)])
		want := exchange(t, f.redis.Addr, line.String())
		if got := exchange(t, f.addr, line.String()); got != want {
			t.Errorf("%q: got %q, want %q", line.String(), got, want)
		}
	}
}
