package proxy

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/redcon"
)

// describe is the client's line of CLIENT LIST and CLIENT INFO. The lock is held.
//
// It has every field of Redis 7.0 in its order, and the library's of 7.2: redis-py 5.3 wants them all and takes a line that lacks one
// for broken. What a client of Forebay has not got is 0, or what Redis says for none.
func (s *session) describe() string {
	user := "default"
	if s.target.Auth {
		user = s.target.User
	}
	multi := -1
	if s.tx != nil {
		multi = len(s.tx.cmds)
	}
	unsent := s.out.size + s.held
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=-1 name=%s age=%d idle=0 flags=N db=%d sub=%d psub=%d ssub=%d multi=%d "+
		"qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=%d tot-mem=%d events=r cmd=NULL "+
		"user=%s redir=-1 resp=%d lib-name=%s lib-ver=%s\n",
		s.id, s.nc.RemoteAddr(), s.nc.LocalAddr(), s.name, int(time.Since(s.born).Seconds()),
		s.target.DB, s.pins.channels, s.pins.patterns, s.pins.shards, multi,
		unsent, unsent, user, s.target.Proto, s.libName, s.libVer)
}

// describeAll is CLIENT LIST, by age, of the clients that match. The lock of the caller, a session, is held, and is given up meanwhile.
func (srv *Server) describeAll(caller *session, match func(c *session) bool) string {
	caller.mu.Unlock()
	defer caller.mu.Lock()
	var b strings.Builder
	all := srv.list()
	slices.SortFunc(all, func(x, y *session) int { return cmp.Compare(x.id, y.id) })
	for _, c := range all {
		c.mu.Lock()
		if match(c) {
			b.WriteString(c.describe())
		}
		c.mu.Unlock()
	}
	return b.String()
}

// listFilter reads what follows CLIENT LIST: nothing, TYPE and a type, or ID and ids. What is wrong is for Redis to say.
func listFilter(args [][]byte) (match func(c *session) bool, ok bool) {
	switch {
	case len(args) == 0:
		return func(*session) bool { return true }, true
	case len(args) == 2 && equalFold(args[0], "type"):
		return ofType(string(args[1]))
	case len(args) < 2 || !equalFold(args[0], "id"):
		return nil, false
	}
	ids := map[int64]bool{}
	for _, a := range args[1:] {
		id, ok := parseInt(a)
		if !ok || id < 1 {
			return nil, false
		}
		ids[id] = true
	}
	return func(c *session) bool { return ids[c.id] }, true
}

// ofType matches clients by Redis's types. There are no replicas here, and no master.
func ofType(name string) (match func(c *session) bool, ok bool) {
	switch strings.ToLower(name) {
	case "normal":
		return func(c *session) bool { return !c.pins.subscribed() }, true
	case "pubsub":
		return func(c *session) bool { return c.pins.subscribed() }, true
	case "replica", "slave", "master":
		return func(*session) bool { return false }, true
	default:
		return nil, false
	}
}

// kill is CLIENT KILL, by address or by ID, TYPE, ADDR, LADDR, USER and SKIPME. The lock of the caller is held, and is given up meanwhile.
func (srv *Server) kill(caller *session, args [][]byte) []byte {
	if len(args) == 1 {
		n := srv.killAll(caller, func(c *session) bool { return c.nc.RemoteAddr().String() == string(args[0]) }, false)
		if n == 0 {
			return []byte("-ERR No such client\r\n")
		}
		return []byte("+OK\r\n")
	}
	skipMe := true
	var tests []func(c *session) bool
	for i := 0; i+1 < len(args); i += 2 {
		v := string(args[i+1])
		switch strings.ToLower(string(args[i])) {
		case "id":
			id, err := strconv.ParseInt(v, 10, 64)
			if err != nil || id < 1 {
				return []byte("-ERR client-id should be greater than 0\r\n")
			}
			tests = append(tests, func(c *session) bool { return c.id == id })
		case "addr":
			tests = append(tests, func(c *session) bool { return c.nc.RemoteAddr().String() == v })
		case "laddr":
			tests = append(tests, func(c *session) bool { return c.nc.LocalAddr().String() == v })
		case "user":
			tests = append(tests, func(c *session) bool {
				return c.target.User == v || (v == "default" && !c.target.Auth)
			})
		case "type":
			test, ok := ofType(v)
			if !ok {
				return []byte("-ERR Unknown client type '" + line(v) + "'\r\n")
			}
			tests = append(tests, test)
		case "skipme":
			skipMe = !strings.EqualFold(v, "no")
		default:
			return []byte("-ERR syntax error\r\n")
		}
	}
	if len(args)%2 != 0 {
		return []byte("-ERR syntax error\r\n")
	}
	n := srv.killAll(caller, func(c *session) bool {
		for _, t := range tests {
			if !t(c) {
				return false
			}
		}
		return true
	}, skipMe)
	return redcon.AppendInt(nil, int64(n))
}

func (srv *Server) killAll(caller *session, match func(*session) bool, skipMe bool) (n int) {
	caller.mu.Unlock()
	defer caller.mu.Lock()
	for _, c := range srv.list() {
		if c == caller && skipMe {
			continue
		}
		c.mu.Lock()
		if match(c) {
			n++
			if c == caller {
				c.quit = true // it is told the number first
			} else {
				c.drop(nil)
			}
		}
		c.mu.Unlock()
	}
	return n
}

// addInfo adds Forebay's section to INFO's reply if it was asked for: by no argument, all, everything, default or forebay.
func (srv *Server) addInfo(b []byte, sections [][]byte) []byte {
	asked := len(sections) == 0
	for _, a := range sections {
		asked = asked || equalFold(a, "all") || equalFold(a, "everything") || equalFold(a, "default") || equalFold(a, "forebay")
	}
	end := bytes.IndexByte(b, '\n') + 1
	if !asked || end == 0 || (b[0] != '$' && b[0] != '=') || null(b) {
		return b
	}
	body := append([]byte(nil), b[end:len(b)-2]...)
	if len(body) > len("txt:") {
		body = append(body, "\r\n"...)
	}
	body = srv.opts.Info(append(body, "# Forebay\r\n"...))
	out := append(make([]byte, 0, len(body)+16), b[0])
	out = strconv.AppendInt(out, int64(len(body)), 10)
	return append(append(append(out, "\r\n"...), body...), "\r\n"...)
}
