package proxy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"forebay/backend/redis/wire"
)

// firstID is what the ids of Forebay's clients begin with: above any that Redis gives, which count its connections. So an id says whose it is: a
// smaller one is of a client that is connected to Redis itself (or of a connection of Forebay's), and is left to Redis. It is exact in a float64.
const firstID = 1 << 40

// describe is the client's line of CLIENT LIST and CLIENT INFO. The lock is held.
//
// It has every field of Redis 7.0 in its order, and the library's of 7.2: redis-py 5.3 wants them all and takes a line that lacks one
// for broken. What a client of Forebay has not got is 0, or what Redis says for none.
func (s *session) describe() string {
	multi, queued := -1, 0
	if s.tx != nil {
		multi, queued = len(s.tx.cmds), s.tx.bytes
	}
	now := wire.Now()
	unsent := s.out.size + s.held
	events := "r"
	if unsent > 0 {
		events = "rw"
	}
	redir := int64(-1)
	if s.pins.tracking {
		redir = s.pins.redirect
	}
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=%d name=%s age=%d idle=%d flags=%s db=%d sub=%d psub=%d ssub=%d multi=%d "+
		"qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=%d rbs=0 rbp=0 obl=%d oll=0 omem=0 tot-mem=%d events=%s cmd=%s "+
		"user=%s redir=%d resp=%d lib-name=%s lib-ver=%s\n",
		s.id, s.nc.RemoteAddr(), s.nc.LocalAddr(), s.fd, s.name, int(s.age().Seconds()), int(time.Duration(now-max(s.now, s.clock)).Seconds()),
		s.flags(), s.target.DB, s.pins.channels, s.pins.patterns, s.pins.shards, multi,
		queued, unsent, queued+unsent, events, s.last.String(), s.user(), redir, s.target.Proto, s.libName, s.libVer)
}

func (s *session) age() time.Duration { return time.Since(s.born) }

// user is the name of the client's user, as Redis has it.
func (s *session) user() string {
	if s.target.Auth {
		return s.target.User
	}
	return "default"
}

// flags are the client's, in the order of Redis. What is left out cannot be told without asking Redis: "d" and "R".
func (s *session) flags() string {
	var b []byte
	add := func(is bool, c byte) {
		if is {
			b = append(b, c)
		}
	}
	add(s.pins.monitor, 'O')
	add(s.pins.subscribed(), 'P')
	add(s.tx != nil, 'x')
	add(s.isBlocked(), 'b')
	add(s.pins.tracking, 't')
	add(s.pins.broadcast, 'B')
	add(s.quit, 'c')
	add(s.nc.RemoteAddr().Network() == "unix", 'U')
	add(s.pins.noEvict, 'e')
	add(s.pins.noTouch, 'T')
	if len(b) == 0 {
		return "N"
	}
	return string(b)
}

// isBlocked tells whether Redis owes the client the reply of a command that may block.
func (s *session) isBlocked() bool {
	_, sl := s.fifo.next()
	return s.own && sl != nil && sl.blocks
}

// lastCommand is the last command of a client, for CLIENT LIST. It is noted for every command, so it is no string.
type lastCommand struct {
	cmd *command
	sub [20]byte // of a container, in lower case; longer ones are cut
	n   int
}

// set notes a command.
func (l *lastCommand) set(cmd *command, args [][]byte) {
	l.cmd, l.n = cmd, 0
	if !cmd.container || len(args) < 2 {
		return
	}
	l.n = copy(l.sub[:], args[1])
	for i, c := range l.sub[:l.n] {
		switch {
		case 'A' <= c && c <= 'Z':
			l.sub[i] = c | 0x20
		case c <= ' ' || c > '~': // it would break the line
			l.n = 0
			return
		}
	}
}

func (l *lastCommand) String() string {
	switch {
	case l.cmd == nil || l.cmd.name == "":
		return "NULL"
	case l.n > 0:
		return l.cmd.name + "|" + string(l.sub[:l.n])
	default:
		return l.cmd.name
	}
}

// clientList is CLIENT LIST. Clients of Redis itself are shown where they are asked for by their ids.
func (s *session) clientList(cmd *command, frame []byte, args [][]byte) {
	f, ok := listFilter(args[2:])
	if !ok {
		s.pass1(cmd, frame) // what is wrong is for Redis to say
		return
	}
	b := s.consult(cmd, append([]string{"CLIENT", "LIST", "ID", nobodyID}, f.direct...)...)
	switch {
	case b == nil:
	case b[0] == '-':
		s.reply(b)
	default:
		s.reply(s.text(s.srv.describeAll(s, f) + string(body(b))))
	}
}

// describeAll is CLIENT LIST of the clients that match, by age or in the order in which they were asked for. The lock of the caller, a session, is held, and
// is given up meanwhile.
func (srv *Server) describeAll(caller *session, f filter) string {
	caller.mu.Unlock()
	defer caller.mu.Lock()
	var b strings.Builder
	all := srv.list()
	slices.SortFunc(all, func(x, y *session) int {
		return cmp.Or(cmp.Compare(f.ids[x.id], f.ids[y.id]), cmp.Compare(x.id, y.id))
	})
	for _, c := range all {
		c.mu.Lock()
		if !c.gone && f.matches(c) {
			b.WriteString(c.describe())
		}
		c.mu.Unlock()
	}
	return b.String()
}

// find returns the client of an id, nil if there is none.
func (srv *Server) find(id int64) *session {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for c := range srv.sessions {
		if c.id == id {
			return c
		}
	}
	return nil
}
