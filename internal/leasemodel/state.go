package leasemodel

// phase is where a reader, writer or load is.
type phase uint8

// Phases of readers.
const (
	rIdle    phase = iota
	rMissed        // Redis said that nothing is there, or a flight said to look again
	rWaiting       // for load
	rDone
)

// Phases of writers.
const (
	wIdle  phase = iota
	wDrop        // the source is changed; the lease is to go
	wNote        // Redis has said that it is gone; readings ahead are to be told
	wFence       // the process's own flight is to be dropped, or waited for
	wWaits       // for load
	wWrite       // the write is on its way
	wDone
)

// Phases of loads.
const (
	lNone    phase = iota
	lBegun         // to ask for the lease, or to ask again
	lAsked         // the question is on its way
	lFound         // the answer is: there is something
	lLooks         // sealed: the second look is on its way
	lTaken         // the source is to be asked
	lRead          // the source has read its row; the answer is on its way
	lSettles       // sealed: on the way to Redis
	lSettled       // the answer is on its way
	lEnters        // a reading ahead: the area is to be entered
	lEntered       // the rows are to be read
	lPassed        // they are; nobody has asked for this one
)

// kind is what a load is for.
type kind uint8

const (
	forReaders kind = iota
	refreshes
	readsAhead
)

// reader is a client's GET that finds nothing in Redis. One that does is checked by what Redis holds (legal).
type reader struct {
	phase phase
	proxy uint8
	load  uint8 // one more than its index
	late  bool
	seen  uint16 // the values that were right at any time since it began
}

// writer is a client's write.
type writer struct {
	kind    Write
	phase   phase
	proxy   uint8
	load    uint8
	version uint8 // of the row, or number of the client's value
}

// load is a flight and the one who ends it; or a refresh, which nobody waits for; or a reading ahead.
type load struct {
	kind  kind
	phase phase
	proxy uint8

	dead    bool // its process has died: what is on its way may arrive
	inTable bool // it is its process's flight of the key
	ended   bool // it has no readers any more
	sealed  bool
	dropped bool
	looking bool
	shared  bool
	waited  bool // for another process
	lost    bool // its lease went otherwise than by its own end
	vain    bool // it will be refused (reduce)

	generation, token, former Name
	area                      Area
	found                     Value // what the look found, or the refresh has seen
	row                       Value
	do                        Ending
	fits                      bool
}

// state is all of it. It is comparable.
type state struct {
	redis   Redis
	row     uint8 // the version in the source
	floor   uint8 // the oldest version that may be read still
	crashes uint8 // left, as the next three
	breaks  uint8
	fresh   uint8
	aheads  uint8
	readers [maxReaders]reader
	writers [maxWriters]writer
	loads   [maxLoads]load
}

//go:norace
func (sc *Scenario) begin() state {
	s := state{crashes: uint8(sc.Crashes), breaks: uint8(sc.Breaks), fresh: uint8(sc.Refreshes), aheads: uint8(sc.Aheads)}
	for i := range s.readers {
		if i >= sc.Readers {
			s.readers[i].phase = rDone
		}
	}
	for i := range s.writers {
		s.writers[i].phase = wDone
		if i < len(sc.Writers) {
			s.writers[i] = writer{kind: sc.Writers[i]}
			if sc.Writers[i] == SetOnly {
				s.writers[i].phase, s.writers[i].version = wDrop, uint8(i)
			}
		}
	}
	return s
}

// flight is the flight of a process's table; -1: none.
//
//go:norace
func (s *state) flight(proxy uint8) int {
	for i := range s.loads {
		if l := &s.loads[i]; l.phase != lNone && l.inTable && l.proxy == proxy {
			return i
		}
	}
	return -1
}

// name is one that nobody knows.
//
//go:norace
func (s *state) name() Name {
	var used [1 << 8]bool
	s.eachName(func(n *Name) { used[*n] = true })
	for n := Name(1); ; n++ {
		if !used[n] {
			return n
		}
	}
}

// eachName visits all names of a state, in an order that does not depend on them.
//
//go:norace
func (s *state) eachName(visit func(*Name)) {
	r := &s.redis
	visit(&r.Generation)
	visit(&r.Lease.Generation)
	visit(&r.Lease.Token)
	visit(&r.Area.Generation)
	visit(&r.Area.Token)
	for i := range s.loads {
		l := &s.loads[i]
		if l.phase == lNone {
			continue
		}
		visit(&l.generation)
		visit(&l.token)
		visit(&l.former)
		visit(&l.area.Generation)
		visit(&l.area.Token)
	}
}
