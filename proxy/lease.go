package proxy

import "github.com/tidwall/redcon"

// A client's write of a routed key waits until the leases of its key are gone (cache.Engine.Fence, lease.go there): one round trip. A pipeline of writes pays
// it once: at the first of them, the leases of all writes that are there already go together. That is not too early:
//
//  1. W has changed its rows, and sends DEL a and DEL b in one piece. Both are here.
//  2. At DEL a, the leases of a and b go. DEL a is forwarded.
//  3. A reader misses b, and its load takes a new lease, reads the new row and stores it, before DEL b or after: W had changed the row before it
//     sent DEL b, and so before 2.
//
// What arrives after 2 is not among them: consume forgets them before it looks at more bytes.
const (
	// aheadFrames and aheadBytes bound how far writes are looked for.
	aheadFrames = 512
	aheadBytes  = 256 << 10
	// keepGone is the most keys of a map that is used again: one that was emptied stays as large as it was.
	keepGone = 64
)

// ahead is the routed keys, of the bytes that are being dispatched, whose leases have gone.
type ahead struct {
	rest []byte // what follows the command that is being dispatched
	gone map[string]struct{}
}

// forget is called before bytes are dispatched that were not there when the leases went.
func (a *ahead) forget() {
	a.rest = nil
	a.forgetGone()
}

// forgetGone is called when leases were to go and may not have.
func (a *ahead) forgetGone() {
	if len(a.gone) > keepGone {
		a.gone = nil
	}
	clear(a.gone)
}

// leased returns the routed keys that a command may write and whose leases have not gone. known is false if it may write others: all generations are
// to be raised. Scripts write what they declare; what they do not declare is as if it were written past Forebay.
func (s *session) leased(cmd *command, args [][]byte) (keys [][]byte, known bool) {
	add := func(key []byte) {
		if _, gone := s.ahead.gone[string(key)]; !gone && s.srv.route(s.target.DB, key) != nil {
			keys = append(keys, key)
		}
	}
	if cmd.keys(args, add) {
		return keys, true
	}
	if cmd.needs.of != ofAnyScript {
		return nil, false
	}
	declared, ok := scriptKeys(args)
	for _, key := range declared {
		add(key)
	}
	return keys, ok && len(declared) > 0
}

// withAhead adds to keys those of the writes that follow, and remembers all of them. The lock is held.
func (s *session) withAhead(keys [][]byte) [][]byte {
	if s.ahead.gone == nil {
		s.ahead.gone = map[string]struct{}{}
	}
	note := func(list [][]byte) {
		for _, k := range list {
			s.ahead.gone[string(k)] = struct{}{}
		}
	}
	note(keys)
	rest := s.ahead.rest[:min(len(s.ahead.rest), aheadBytes)]
	fr := framer{maxArgs: s.framer.maxArgs, maxBytes: s.framer.maxBytes}
	for range aheadFrames {
		if len(rest) == 0 {
			break
		}
		size, kind, err := fr.next(rest)
		if err != nil || kind != wholeRESP {
			break
		}
		complete, args, _, _, err := redcon.ReadNextCommand(rest[:size], nil)
		if err != nil || !complete || len(args) == 0 {
			break
		}
		cmd := s.srv.table.Load().find(args[0])
		if cmd == nil || cmd.class == local {
			break // it may be another database's, or user's, from there on
		}
		if cmd.writes {
			more, _ := s.leased(cmd, args)
			note(more)
			keys = append(keys, more...)
		}
		rest = rest[size:]
	}
	return keys
}

// fenceLoads makes a command that may write safe from loads of its keys, here and elsewhere. The lock is held, and is given up meanwhile. With an error the
// command must not be forwarded (cache.Engine.Fence).
func (s *session) fenceLoads(cmd *command, args [][]byte) (err error) {
	engine := s.srv.opts.Engine
	routed, known := s.leased(cmd, args)
	if known && len(routed) == 0 && engine.Idle() {
		return nil
	}
	s.submit()
	if s.unheard() && (len(routed) > 0 || !known) {
		return errDeaf
	}
	db := s.target.DB
	if len(routed) > 0 {
		routed = s.withAhead(routed)
	}
	ctx, cancel := s.srv.since(s.srv.ctx, s.began())
	defer cancel()
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.heard(err)
		if err != nil {
			s.ahead.forgetGone()
		}
	}()
	if !known {
		err = engine.DropAll(ctx, -1)
		engine.FenceAllHere(-1)
		return err
	}
	err = engine.Drop(ctx, db, routed)
	if !cmd.keys(args, func(key []byte) { engine.FenceHere(db, key) }) {
		engine.FenceAllHere(-1) // a script: it is not followed as closely as its keys allow
	}
	return err
}

// fenceTxLoads is fenceLoads for a transaction.
func (s *session) fenceTxLoads(tx *transaction) (err error) {
	engine := s.srv.opts.Engine
	all := tx.unsure || tx.db >= 0
	var routed [][]byte
	for key := range tx.wrote {
		if _, gone := s.ahead.gone[key]; !gone && s.srv.route(s.target.DB, []byte(key)) != nil {
			routed = append(routed, []byte(key))
		}
	}
	if !all && len(routed) == 0 && engine.Idle() {
		return nil
	}
	s.submit()
	if s.unheard() && (all || len(routed) > 0) {
		return errDeaf
	}
	db := s.target.DB
	ctx, cancel := s.srv.since(s.srv.ctx, s.began())
	defer cancel()
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.heard(err)
	}()
	if all {
		err = engine.DropAll(ctx, -1)
		engine.FenceAllHere(-1)
	}
	if err == nil {
		err = engine.Drop(ctx, db, routed)
	}
	for key := range tx.wrote {
		engine.FenceHere(db, []byte(key))
	}
	return err
}
