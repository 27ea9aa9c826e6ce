package proxy

import (
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/redcon"
)

// filter chooses clients. Its zero value chooses all.
type filter struct {
	tests  []func(c *session) bool
	ids    map[int64]int // of LIST: the place at which each was asked for, from 1
	direct []string      // ids of clients of Redis itself
	addr   bool          // KILL names an address, which may be of one of those
	skipMe bool
}

// matches tells whether the filter chooses c, whose lock is held.
func (f *filter) matches(c *session) bool {
	for _, t := range f.tests {
		if !t(c) {
			return false
		}
	}
	return true
}

// and adds a condition.
func (f *filter) and(test func(c *session) bool) { f.tests = append(f.tests, test) }

// listFilter reads what follows CLIENT LIST: nothing, TYPE and a type, or ID and ids. false: it is for Redis to say what is wrong.
func listFilter(args [][]byte) (f filter, ok bool) {
	switch {
	case len(args) == 0:
		return f, true
	case len(args) == 2 && equalFold(args[0], "type"):
		return f, f.ofType(string(args[1]))
	case len(args) < 2 || !equalFold(args[0], "id"):
		return f, false
	}
	f.ids = map[int64]int{}
	for i, a := range args[1:] {
		id, ok := parseInt(a)
		switch {
		case !ok || id < 1:
			return f, false
		case id < firstID:
			f.direct = append(f.direct, string(a))
		case f.ids[id] == 0:
			f.ids[id] = i + 1
		}
	}
	f.and(func(c *session) bool { return f.ids[c.id] > 0 })
	return f, true
}

// ofType chooses clients of a type of Redis's. There are no replicas here, and no master. false: there is no such type.
func (f *filter) ofType(name string) bool {
	switch strings.ToLower(name) {
	case "normal":
		f.and(func(c *session) bool { return !c.pins.subscribed() })
	case "pubsub":
		f.and(func(c *session) bool { return c.pins.subscribed() })
	case "replica", "slave", "master":
		f.and(func(*session) bool { return false })
	default:
		return false
	}
	return true
}

// killFilter reads the conditions of CLIENT KILL that Redis has found right. false: they are of a newer server.
func killFilter(args [][]byte) (f filter, ok bool) {
	f.skipMe = true
	for i := 0; i+1 < len(args); i += 2 {
		v := string(args[i+1])
		switch strings.ToLower(string(args[i])) {
		case "id":
			id, _ := strconv.ParseInt(v, 10, 64)
			if id < firstID {
				f.direct = append(f.direct, v)
			}
			f.and(func(c *session) bool { return c.id == id })
		case "addr":
			f.addr = true
			f.and(func(c *session) bool { return c.nc.RemoteAddr().String() == v })
		case "laddr":
			f.and(func(c *session) bool { return c.nc.LocalAddr().String() == v })
		case "user":
			f.and(func(c *session) bool { return c.user() == v })
		case "maxage":
			age, _ := strconv.ParseInt(v, 10, 64)
			f.and(func(c *session) bool { return int64(c.age()/time.Second) >= age })
		case "type":
			if !f.ofType(v) {
				return f, false
			}
		case "skipme":
			f.skipMe = !strings.EqualFold(v, "no")
		default:
			return f, false
		}
	}
	return f, len(args)%2 == 0
}

// clientKill is CLIENT KILL. Redis is asked to kill nobody with the same conditions: what is wrong with them, it says. By its id or
// address, a client of Redis itself is killed too; by anything else only Forebay's are, since its own connections to Redis would match.
func (s *session) clientKill(cmd *command, frame []byte, args [][]byte) {
	if len(args) == 3 {
		s.killAddr(cmd, frame, string(args[2]))
		return
	}
	f, ok := killFilter(args[2:])
	if len(f.direct) > 0 {
		s.pass1(cmd, frame)
		return
	}
	probe := appendCommand(nil, append(append(args[:len(args):len(args)], []byte("ID")), []byte(nobodyID)))
	switch b := s.consultFrame(cmd, probe); {
	case b == nil:
	case b[0] == '-':
		s.reply(b)
	case !ok:
		s.reply([]byte("-ERR syntax error\r\n"))
	default:
		n := s.srv.killAll(s, f)
		if n == 0 && f.addr {
			s.pass1(cmd, frame)
			return
		}
		s.reply(redcon.AppendInt(nil, int64(n)))
	}
}

// killAddr is CLIENT KILL's old form.
func (s *session) killAddr(cmd *command, frame []byte, addr string) {
	b := s.consult(cmd, "CLIENT", "KILL", "0.0.0.0:0") // nobody's
	switch {
	case b == nil:
	case strings.HasPrefix(string(b), "-NO"): // NOAUTH, NOPERM
		s.reply(b)
	default:
		f := filter{}
		f.and(func(c *session) bool { return c.nc.RemoteAddr().String() == addr })
		if s.srv.killAll(s, f) == 0 {
			s.pass1(cmd, frame)
			return
		}
		s.reply([]byte("+OK\r\n"))
	}
}

// killAll closes the clients that match, and returns how many they were. The lock of the caller, a session, is held, and is given up meanwhile.
func (srv *Server) killAll(caller *session, f filter) (n int) {
	caller.mu.Unlock()
	defer caller.mu.Lock()
	for _, c := range srv.list() {
		if c == caller && f.skipMe {
			continue
		}
		c.mu.Lock()
		if !c.gone && f.matches(c) {
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
