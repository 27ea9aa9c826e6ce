package leasemodel

// world adds what happens to Redis and to processes.
//
//go:norace
func (x *steps) world() {
	s := x.from
	if s.redis.Lease.State != Free {
		m := x.try(aEndLease, 0, 0)
		m.redis.EndLease()
		m.lose()
	}
	if s.redis.Value != 0 {
		x.try(aEvict, 0, 0).redis.Del()
	}
	if s.redis.Generation != 0 {
		m := x.try(aEvictGeneration, 0, 0)
		m.redis.DropAll()
		m.lose()
	}
	if s.redis.Area.Token != 0 {
		x.try(aEvictArea, 0, 0).redis.EndArea()
	}
	for p := range Proxies {
		if s.crashes > 0 {
			x.crash(p)
		}
		if s.fresh > 0 && s.redis.Value != 0 {
			m := x.try(aRefresh, p, 0)
			m.fresh--
			m.add(load{kind: refreshes, phase: lAsked, proxy: uint8(p), token: x.token(m)})
		}
		if s.aheads > 0 {
			m := x.try(aAhead, p, 0)
			m.aheads--
			m.add(load{kind: readsAhead, phase: lEnters, proxy: uint8(p)})
		}
	}
}

// crash ends a process, and another begins in its place. What is on its way to Redis may arrive, or may not.
//
//go:norace
func (x *steps) crash(p int) {
	m := x.try(aCrash, p, 0)
	m.crashes--
	for i := range m.readers {
		if r := &m.readers[i]; int(r.proxy) == p && r.phase != rIdle {
			m.readers[i] = reader{phase: rDone}
		}
	}
	for i := range m.loads {
		l := &m.loads[i]
		if int(l.proxy) != p {
			continue
		}
		if l.phase == lAsked || l.phase == lSettles {
			l.dead, l.ended, l.inTable = true, true, false
		} else {
			*l = load{}
		}
	}
	for i := range m.writers {
		if w := &m.writers[i]; int(w.proxy) == p && (w.phase == wNote || w.phase == wFence || w.phase == wWaits) {
			m.writers[i] = writer{kind: w.kind, phase: wDone}
		}
	}
}
