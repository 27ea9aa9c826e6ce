package leasemodel_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/internal/leasemodel"
	"forebay/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What the model takes for Redis does what Redis does, when backend/redis asks it.
func TestModelIsWhatRedisDoes(t *testing.T) {
	p := newPair(t)
	from, until := testkit.Soak()
	seed, steps := from, 0
	for ; seed < from+250 || time.Now().Before(until); seed++ {
		n, difference := p.play(t, seed, leasemodel.Rules{})
		if steps += n; difference != "" {
			t.Fatalf("seed %d: %s", seed, difference)
		}
	}
	t.Logf("seeds %d to %d: %d steps", from, seed-1, steps)
}

// A model that is wrong in one thing is told from Redis.
func TestWrongModelIsSeen(t *testing.T) {
	p := newPair(t)
	for name, rules := range map[string]leasemodel.Rules{
		"token": {NoToken: true}, "generation": {NoGeneration: true}, "digest": {NoDigest: true}, "area": {NoArea: true}, "absence": {Overwrite: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= 500; seed++ {
				if _, difference := p.play(t, seed, rules); difference != "" {
					return
				}
			}
			t.Error("nothing was seen")
		})
	}
}

const (
	generationKey = "__forebay:generation"
	leaseKey      = "__forebay:lease:{k}"
	areaKey       = "__forebay:area:a"
)

// pair is a Redis and the model of it.
type pair struct {
	store *redis.Client
	raw   *goredis.Client

	redis  leasemodel.Redis
	rnd    *rand.Rand
	named  leasemodel.Name
	names  map[string]leasemodel.Name // those of Redis
	holds  []hold
	within []backend.Lease
	value  uint8
	log    []string

	// Of all values of a play.
	hash, large bool
	aged        bool // keys have stamps, and so scripts of their own; everything is due to be refreshed
	own         bool // what the key holds has a stamp, and was not written since
}

// hold is a lease as both know it.
type hold struct {
	lease             backend.Lease
	generation, token leasemodel.Name
	seen              leasemodel.Value
}

func newPair(t *testing.T) *pair {
	s := testkit.Redis(t)
	p := &pair{store: redis.Open(redis.Options{Network: s.Network, Addr: s.Addr, Log: testkit.Log(t)}), raw: s.Client()}
	t.Cleanup(p.store.Close)
	t.Cleanup(func() { _ = p.raw.Close() })
	testkit.Soon(t, "redis is up", p.store.Up)
	return p
}

// play does random steps on both, and returns the first difference, if there is one.
func (p *pair) play(t *testing.T, seed uint64, rules leasemodel.Rules) (steps int, difference string) {
	t.Helper()
	p.do(t, "CONFIG", "SET", "maxmemory", "0")
	p.do(t, "FLUSHALL")
	*p = pair{store: p.store, raw: p.raw, rnd: rand.New(rand.NewPCG(seed, 1)), names: map[string]leasemodel.Name{}}
	p.aged, p.hash, p.large = seed%2 == 0, seed%3 == 0, seed%7 == 0 && seed%3 > 0
	most := 30
	if p.aged { // it takes more to come to a refresh
		most = 60
	}
	for steps < most {
		steps++
		modelled, real := p.step(t, rules)
		if modelled == real {
			modelled, real = p.modelled(), p.real(t)
		}
		if modelled != real {
			return steps, fmt.Sprintf("after\n  %s\nredis:  %s\nmodel:  %s", strings.Join(p.log, "\n  "), real, modelled)
		}
	}
	return steps, ""
}

// step does one on both and returns their answers.
func (p *pair) step(t *testing.T, rules leasemodel.Rules) (modelled, real string) {
	switch n := p.rnd.IntN(20); {
	case n < 6:
		return p.acquire(t)
	case n < 12 && len(p.holds) > 0:
		return p.settle(t, rules)
	case n == 12 && len(p.within) > 0:
		return p.settleAhead(t, rules)
	case n == 13:
		return p.enter(t)
	case n == 14:
		p.note("drop")
		p.redis.Drop()
		p.own = false
		must(t, p.store.Drop(t.Context(), 0, [][]byte{[]byte("k")}, []string{"a"}))
	case n == 15:
		p.note("drop all")
		p.redis.DropAll()
		must(t, p.store.DropAll(t.Context(), []int{0}))
	case n == 16 && !p.redis.Full:
		p.set(t)
	case n == 17:
		p.note("del")
		p.redis.Del()
		p.own = false
		p.do(t, "DEL", "k")
	case n == 18:
		p.note("the lease ends")
		p.redis.EndLease()
		p.do(t, "DEL", leaseKey)
	case p.rnd.IntN(3) == 0:
		p.redis.Full = !p.redis.Full
		p.note("full: %v", p.redis.Full)
		p.do(t, "CONFIG", "SET", "maxmemory", map[bool]string{true: "1", false: "0"}[p.redis.Full])
	default:
		p.note("the area is evicted")
		p.redis.EndArea()
		p.do(t, "DEL", areaKey)
	}
	return "", ""
}

func (p *pair) acquire(t *testing.T) (modelled, real string) {
	ask := leasemodel.Ask{Token: p.name(), Take: p.rnd.IntN(4) > 0, Refresh: p.rnd.IntN(4) == 0 || p.aged && p.rnd.IntN(2) == 0}
	p.note("acquire %+v", ask)
	life := time.Hour
	if !ask.Take {
		life = 0
	}
	real1 := backend.Ask{Key: []byte("k"), Refresh: ask.Refresh, Age: p.aged, Due: 2 * time.Hour}
	if p.hash {
		real1.As = backend.AsHash
	}
	ask.Refresh = ask.Refresh && (p.own || !p.aged)
	grants, err := p.store.Acquire(t.Context(), 0, life, []backend.Ask{real1})
	must(t, err)
	g, said := grants[0], p.redis.Acquire(ask)
	states := map[backend.GrantState]leasemodel.State{
		backend.Free: leasemodel.Nobodys, backend.Present: leasemodel.Present, backend.Absent: leasemodel.Absent,
		backend.Taken: leasemodel.Taken, backend.Busy: leasemodel.Busy,
	}
	if said.State == leasemodel.Absent {
		said.Value = 0 // the version is known to the model only
	}
	if said.State == leasemodel.Taken && g.State == backend.Taken {
		p.holds = append(p.holds, hold{g.Lease, said.Generation, ask.Token, said.Value})
		p.names[g.Lease.Token] = ask.Token
	}
	return fmt.Sprintf("%d %q %d %v", said.State, p.told(said.Value), said.Generation, p.own),
		fmt.Sprintf("%d %q %d %v", states[g.State], g.Value, p.names[g.Lease.Generation], g.Own)
}

func (p *pair) settle(t *testing.T, rules leasemodel.Rules) (modelled, real string) {
	h := p.holds[max(p.rnd.IntN(len(p.holds)), p.rnd.IntN(len(p.holds)))]
	e := leasemodel.Entry{Do: leasemodel.Ending(p.rnd.IntN(6)), Generation: h.generation, Token: h.token, Value: p.fresh(), Forget: p.rnd.IntN(4) == 0}
	real1 := backend.Entry{Key: []byte("k"), Lease: h.lease, TTL: time.Hour}
	if e.Do == leasemodel.Refresh || p.aged && (e.Do == leasemodel.Mark || e.Do == leasemodel.Check) {
		e.Seen, real1.Seen = h.seen, p.bytes(h.seen)
	}
	if e.Do == leasemodel.Mark && e.Forget {
		real1.TTL = 0
	}
	if p.rnd.IntN(4) == 0 && len(p.within) > 0 {
		p.into(&e, &real1)
	}
	return p.settleBoth(t, e, real1, rules)
}

// settleAhead stores what was read ahead, without a lease.
func (p *pair) settleAhead(t *testing.T, rules leasemodel.Rules) (modelled, real string) {
	e, entry := leasemodel.Entry{Do: leasemodel.Store, Value: p.fresh()}, backend.Entry{Key: []byte("k"), TTL: time.Hour}
	p.into(&e, &entry)
	return p.settleBoth(t, e, entry, rules)
}

// into says that what is settled was read in an area.
func (p *pair) into(e *leasemodel.Entry, entry *backend.Entry) {
	since := p.within[p.rnd.IntN(len(p.within))]
	e.Since = leasemodel.Area{Generation: p.names[since.Generation], Token: p.names[since.Token]}
	entry.Area = backend.Area{Name: "a", Since: since}
}

func (p *pair) settleBoth(t *testing.T, e leasemodel.Entry, entry backend.Entry, rules leasemodel.Rules) (modelled, real string) {
	endings := [...]backend.Ending{backend.StoreValue, backend.MarkAbsent, backend.CheckOnly, backend.GiveUp, backend.KeepOn, backend.RefreshValue}
	entry.Do = endings[e.Do]
	if e.Do == leasemodel.Store || e.Do == leasemodel.Refresh {
		entry.Value = p.bytes(e.Value)
	}
	entry.Hash, entry.Stamp = p.hash, p.aged
	p.note("settle %+v", e)
	full := p.redis.Full
	p.redis.Full = full && (e.Do != leasemodel.Refresh || e.Seen == 0 || !p.hash) // the old hash is removed first, so that there is room
	fits, refused := p.redis.Settle(e, rules)
	p.redis.Full = full
	if fits && (entry.Value != nil || e.Do == leasemodel.Mark) {
		p.own = p.aged && entry.Value != nil && (!refused || p.own)
	}
	realFits, errs, err := p.store.Settle(t.Context(), 0, []backend.Entry{entry})
	if err != nil {
		return fmt.Sprint(fits, refused), err.Error()
	}
	return fmt.Sprint(fits, refused), fmt.Sprint(realFits[0], errs[0] != nil)
}

func (p *pair) enter(t *testing.T) (modelled, real string) {
	token := p.name()
	p.note("enter %d", token)
	since, err := p.store.Enter(t.Context(), 0, "a")
	must(t, err)
	a := p.redis.Enter(token)
	p.learn(since.Generation, a.Generation)
	p.learn(since.Token, a.Token)
	p.within = append(p.within, since)
	return fmt.Sprint(a.Generation, a.Token), fmt.Sprint(p.names[since.Generation], p.names[since.Token])
}
