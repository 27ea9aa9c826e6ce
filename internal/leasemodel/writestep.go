package leasemodel

// writer adds what one writer can do (session.fenceLoads, Engine.Fence).
//
//go:norace
func (x *steps) writer(i int) {
	w := &x.from.writers[i]
	switch w.phase {
	case wIdle:
		m := x.try(aChange, i, 0)
		m.row++
		m.writers[i].version, m.writers[i].phase = m.row, wDrop
	case wDrop:
		for p := range Proxies {
			x.drop(i, p)
		}
	case wNote:
		m := x.try(aNote, i, 0)
		for j := range m.loads {
			if a := &m.loads[j]; a.kind == readsAhead && a.proxy == w.proxy {
				a.dropped = true
			}
		}
		m.writers[i].phase = wFence
	case wFence:
		x.fence(i)
	case wWrite:
		m := x.try(aWrite, i, 0)
		if w.kind == SetOnly {
			m.redis.Set(Client(w.version))
		} else {
			m.redis.Del()
			m.floor = max(m.floor, w.version)
		}
		m.writers[i] = writer{kind: w.kind, phase: wDone}
	}
}

// drop takes the leases away. That is the first that a process does of a write.
//
//go:norace
func (x *steps) drop(i, proxy int) {
	m := x.try(aDrop, i, proxy)
	w := &m.writers[i]
	w.phase, w.proxy = wFence, uint8(proxy)
	for j := range m.loads {
		if a := &m.loads[j]; a.kind == readsAhead && int(a.proxy) == proxy {
			w.phase = wNote
		}
	}
	switch {
	case x.Rules.NoDrop || x.Rules.WriteUndropped:
	case w.kind == Unknown:
		m.redis.DropAll()
		m.lose()
	default:
		m.redis.Drop()
		m.lose()
	}
}

// lose notes that whoever holds the lease has lost it.
//
//go:norace
func (m *move) lose() {
	for i := range m.loads {
		if l := &m.loads[i]; l.token != 0 && l.phase != lAsked {
			l.lost = true
		}
	}
}

// fence drops the process's own flight, or has the writer wait for one that is sealed (flights.fence).
//
//go:norace
func (x *steps) fence(i int) {
	m := x.try(aFence, i, 0)
	w := &m.writers[i]
	at := m.flight(w.proxy)
	switch {
	case at < 0:
		w.phase = wWrite
	case m.loads[at].sealed:
		w.phase, w.load = wWaits, uint8(at+1)
	default:
		m.loads[at].dropped, m.loads[at].inTable = true, false
		w.phase = wWrite
	}
}
