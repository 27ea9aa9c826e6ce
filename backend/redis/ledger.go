package redis

// tally counts keys that left, by the two reasons that Redis has a counter for.
type tally struct{ expired, evicted int64 }

func (t tally) minus(o tally) tally { return tally{t.expired - o.expired, t.evicted - o.evicted} }
func (t tally) floor() tally        { return tally{max(t.expired, 0), max(t.evicted, 0)} }
func (t tally) sum() int64          { return t.expired + t.evicted }

// counters is what INFO said at one moment.
type counters struct {
	run      string // run_id: changes when the server restarts
	keys     tally  // expired_keys and evicted_keys since the start, or since CONFIG RESETSTAT
	commands int64  // total_commands_processed: only ever rises, but for RESETSTAT
}

// ledger compares the server's counters with the notifications heard. Its moments are exact: see session.mark. The zero
// ledger has no moment yet.
type ledger struct {
	known bool
	at    counters
	heard tally // in all, at that moment
}

// verdict is what one comparison says of the time since the moment before.
type verdict struct {
	heard   tally // notifications
	lost    tally // counted by the server, not heard
	atLeast bool  // the counters began anew meanwhile, so lost is only what they show for certain
	restart bool  // the server is another process
	unknown bool  // nothing could be compared
}

// settle compares with the moment before and makes this the moment to compare with next. before is what had been heard in all
// when the last subscription that was compared ended.
//
// Within one run each notification is one count, so lost = counted - heard. Otherwise:
//
//   - The run_id differs: the server restarted and counts from zero. A subscription does not survive that, so
//     nothing heard up to before is of the new process: lost >= counted - (heard - before). What left
//     between the last notification and the end of the old process nobody knows.
//   - A counter or total_commands_processed fell, or more was heard than counted (there is no notification without its
//     count): CONFIG RESETSTAT. What was heard is partly from before it, so lost >= counted - heard.
func (l *ledger) settle(now counters, heard, before tally) verdict {
	if !l.known {
		*l = ledger{known: true, at: now, heard: heard}
		return verdict{unknown: true}
	}
	got := heard.minus(l.heard)
	counted := now.keys.minus(l.at.keys)
	v := verdict{heard: got, lost: counted.minus(got), restart: now.run != l.at.run}
	switch {
	case v.restart:
		v.atLeast = true
		v.lost = now.keys.minus(heard.minus(before)).floor()
	case now.commands < l.at.commands || v.lost != v.lost.floor() || counted != counted.floor():
		v.atLeast = true
		v.lost = now.keys.minus(got).floor()
	}
	l.at, l.heard = now, heard
	return v
}
