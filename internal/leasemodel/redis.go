package leasemodel

// Name is a generation or a token. 0 is none.
type Name uint8

// theOneName is the token of everybody, where rules are broken so. It is no other name.
const theOneName Name = 255

// Value is what a key may hold. 0 is nothing.
type Value uint8

// A model knows rowValues versions of the row and as many values of clients.
const rowValues = 8

// Row is a version of the source's row; that there is no row may be one.
//
//go:norace
func Row(version uint8) Value { return Value(1 + version) }

// Client is what a client has set.
//
//go:norace
func Client(n uint8) Value { return Value(1 + rowValues + n) }

//go:norace
func (v Value) isClients() bool { return v > rowValues }

//go:norace
func (v Value) version() uint8 { return uint8(v) - 1 }

// LeaseState is what L(k) is.
type LeaseState uint8

// The states of L(k).
const (
	Free LeaseState = iota
	Held
	Marker
)

// Lease is L(k): of a generation.
type Lease struct {
	State      LeaseState
	Generation Name
	Token      Name
	row        Value // of a marker: the version that it stands for, which Redis does not know
}

// Area is A(n), or what one was Since. The zero Area is none.
type Area struct{ Generation, Token Name }

// Redis is what it holds of one key, of the key's area and of its database. Its methods are the steps of [forebay/backend.Leaser], each as
// backend/redis does it.
type Redis struct {
	Generation Name
	Value      Value
	Lease      Lease
	Area       Area
	// Full refuses every new value.
	Full bool
}

// State is what Acquire says.
type State uint8

// The answers of Acquire.
const (
	Nobodys State = iota // only if nothing is to be taken
	Present
	Absent
	Taken
	Busy
)

// Ask is Acquire's question.
type Ask struct {
	Token   Name
	Former  Name // under which the caller has asked before, without an answer; 0: none
	Take    bool // else it only looks
	Refresh bool
}

// Grant is Acquire's answer.
type Grant struct {
	State      State
	Value      Value // Present's, what Refresh has seen, and Absent's version
	Generation Name  // Taken's
}

// Acquire takes the lease, if it is to be taken and nothing is there.
//
//go:norace
func (r *Redis) Acquire(a Ask) Grant {
	if r.Generation == 0 && a.Take {
		r.Generation = a.Token
	}
	g, there := r.Generation, r.Value != 0
	if there && !a.Refresh {
		return Grant{State: Present, Value: r.Value}
	}
	ofNow := g != 0 && r.Lease.Generation == g
	switch {
	case ofNow && r.Lease.State == Marker && !there:
		return Grant{State: Absent, Value: r.Lease.row}
	case ofNow && r.Lease.State == Held && r.Lease.Token != a.Token && (a.Former == 0 || r.Lease.Token != a.Former):
		return Grant{State: Busy}
	case !a.Take && there:
		return Grant{State: Present, Value: r.Value}
	case !a.Take:
		return Grant{State: Nobodys}
	}
	r.Lease = Lease{State: Held, Generation: g, Token: a.Token}
	return Grant{State: Taken, Value: r.Value, Generation: g}
}

// Ending is what Settle does.
type Ending uint8

// The endings.
const (
	Store Ending = iota
	Mark
	Check
	GiveUp
	Keep
	Refresh
)

// Entry is the end of one load.
type Entry struct {
	Do                Ending
	Generation, Token Name // of its lease; a token of 0 is none
	Since             Area
	Value             Value
	Seen              Value // what must be there; 0: nothing. By Refresh, and by Mark, which removes it, and Check
	Forget            bool  // Mark leaves no marker
	row               Value // Mark's
}

// Settle ends a load, or keeps its lease. It tells whether it fitted, and whether Redis took the value then.
//
//go:norace
func (r *Redis) Settle(e Entry, broken Rules) (fits, refused bool) {
	own := e.Token != 0 && r.Lease.State == Held && r.Lease.Generation == e.Generation && r.Lease.Token == e.Token
	if broken.NoToken {
		own = e.Token != 0
	}
	if broken.NoGeneration && e.Token != 0 {
		own = own || r.Lease.State == Held && r.Lease.Token == e.Token
	}
	ofNow := r.Generation == e.Generation || broken.NoGeneration
	fits = own && ofNow
	if e.Since.Token != 0 {
		fits = (fits || e.Token == 0) && (r.Generation == e.Since.Generation || broken.NoGeneration) && (r.Area == e.Since || broken.NoArea)
	}
	switch e.Do {
	case Keep:
	case GiveUp:
		fits = own
	case Refresh:
		fits = fits && (r.Value == e.Seen || broken.NoDigest && r.Value != 0)
	default:
		fits = fits && (r.Value == e.Seen || broken.Overwrite)
	}
	if fits && e.Do == Mark && e.Seen != 0 {
		r.Value = 0
	}
	if fits && (e.Do == Store || e.Do == Refresh) {
		if refused = r.Full; !refused {
			r.Value = e.Value
		}
	}
	switch {
	case e.Do == Keep: // time is not modelled
	case e.Do == Mark && fits && !e.Forget:
		r.Lease = Lease{State: Marker, Generation: e.Generation, row: e.row}
	case own:
		r.Lease = Lease{}
	}
	return fits, refused
}

// Enter enters the area.
//
//go:norace
func (r *Redis) Enter(token Name) Area {
	if r.Generation == 0 {
		r.Generation = token
	}
	if r.Area.Token == 0 || r.Area.Generation != r.Generation {
		r.Area = Area{r.Generation, token}
	}
	return r.Area
}

// Drop takes the lease and the area away before a write of the key.
//
//go:norace
func (r *Redis) Drop() { r.Lease, r.Area = Lease{}, Area{} }

// DropAll raises the generation before a write of unknown keys.
//
//go:norace
func (r *Redis) DropAll() { r.Generation = 0 }

// Set is a client's, Del one's, or an eviction.
//
//go:norace
func (r *Redis) Set(v Value) { r.Value = v }

// Del removes the value.
//
//go:norace
func (r *Redis) Del() { r.Value = 0 }

// EndLease is the end of a lease or marker: its time is over, or Redis evicts it.
//
//go:norace
func (r *Redis) EndLease() { r.Lease = Lease{} }

// EndArea is an eviction.
//
//go:norace
func (r *Redis) EndArea() { r.Area = Area{} }
