package leasemodel

// Rules says which rules of the protocol are broken. The zero Rules are those that Forebay is built by.
type Rules struct {
	NoToken        bool // what is settled is not compared with the lease's token
	NoGeneration   bool // … with the generation
	NoDigest       bool // what a refresh replaces is not compared with what it has seen
	NoArea         bool // a row that was read ahead is not compared with its area
	Overwrite      bool // a fill replaces what is there
	OneToken       bool // tokens are not unique
	NoDrop         bool // writers do not drop leases
	WriteUndropped bool // a write is forwarded though Redis has not said that its lease is gone
	OneTry         bool // a question that is sent again has the token of the first
	HandOutRefused bool // a value that was refused is handed out
	HandOutUnheard bool // a value of which it is not known whether it was refused is handed out to whoever has joined
	SealLate       bool // readers may join a flight until its fill is answered
	LookForAll     bool // what a look has found is for those, too, who have joined since it was sent
}

// Write is what a writer does.
type Write uint8

// The writes. Those that change the source do so first.
const (
	Update  Write = iota + 1 // the row is changed, then its key deleted
	SetOnly                  // SET of a value that the source does not have
	Unknown                  // the row is changed, then a command of unknown keys deletes its key: its key is in none of them
)

// Scenario is who there is and what may happen. Leases, values, areas and the generation may be lost, sources fail, and Redis be full, at any time, as
// often as it likes: so a process that pauses past its lease is in all of them.
type Scenario struct {
	Name    string
	Readers int
	Writers []Write
	Absent  uint8 // a bit for each version that is no row
	// How often processes may die, connections break with a question or an answer on its way, values be refreshed ahead of their end, and the
	// key's partition be read ahead.
	Crashes, Breaks, Refreshes, Aheads int
	Rules                              Rules
	Whole                              bool // states are not reduced
}

// The most of each.
const (
	Proxies    = 2
	maxReaders = 3
	maxWriters = 3
	maxLoads   = 7
	nobodys    = Proxies // the process of a load that has none
)
