package proxy

import (
	"context"

	"forebay/internal/cache"
	"forebay/internal/route"
)

// transaction is what was queued since MULTI.
//
// Its reads are of two kinds. If it only reads, and no reply of it can be both "no such key" and "an empty value", it is forwarded as it is, and
// what its reply lacks is loaded then and put in. Else everything in it that has a route is loaded first (plan): a command that works on a part of
// a value must find it there, a write must not be done by a transaction of which a read fails, and what a read finds absent behind a script is
// absent by the script's doing.
type transaction struct {
	cmds    []queued
	needs   []txNeed
	at      map[dbKey]int // where each is in needs
	routed  bool          // its reply may have to be patched
	eager   bool          // its reads are loaded first
	writes  bool          // it may change something
	bad     bool          // Redis will not run it: a command was refused
	unsure  bool          // a command was queued of which the keys are not known for certain: scripts may write more than they declare
	wrote   map[string]bool
	settled map[dbKey]bool // keys of which a command in it says what they hold, whatever they held
	emptied map[int]bool   // databases that it empties; −1: all
	db      int            // of a SELECT in it; −1: none
	alters  bool           // parts of its reply are not Redis's
	lists   bool           // it lists keys, of which Forebay's own are left out
	randoms int            // RANDOMKEYs in it
	held    bool           // its reply waits for other keys than Redis's RANDOMKEYs have named
	relay   bool           // CLIENT REPLY is in it: its replies are not one a command
	bytes   int            // what is noted of it, roughly
	abort   []byte         // it is not to be run, and what its client is told; nil: it is
}

// maxTx is the most that is noted of a transaction that is queued command by command. One that is larger is not run.
const maxTx = 64 << 20

const tooLargeTx = "-EXECABORT Transaction discarded because its commands came to more than 64 MiB\r\n"

// dbKey is a key of a database.
type dbKey struct {
	db  int
	key string
}

// txNeed is a key that must be in Redis before EXEC.
type txNeed struct {
	db    int
	want  cache.Want
	found cache.Found
}

// queued is one command of a transaction.
type queued struct {
	read   readOp
	reads  []txRead
	detail *detail
	log    *message // a training message that it publishes
	db     int      // of a SELECT: its database and 1
	alter  editor   // makes another reply of Redis's; nil: it stands
	list   *filter  // of a CLIENT LIST
	random int      // of a RANDOMKEY: its database and 1
}

// txRead is one key that a command of a transaction reads.
type txRead struct {
	key   []byte
	db    int
	route *route.Route // nil: none that serves the read
	open  bool         // the transaction itself does not say what it holds
	patch bool         // and cannot have changed it: if it is absent, it is because it is not cached
	need  int          // which of needs it is; −1: none
	bad   bool         // EXEC gave a value that its route does not admit
}

// add queues a command: its words are not known.
func (tx *transaction) add(writes bool) {
	tx.unsure, tx.writes, tx.eager = tx.unsure || writes, tx.writes || writes, tx.eager || writes
	tx.cmds = append(tx.cmds, queued{})
}

// queue notes a command of the transaction. The session's lock is held, and may be given up meanwhile.
func (tx *transaction) queue(s *session, cmd *command, args [][]byte) {
	size := 64
	for _, a := range args[1:] {
		size += len(a)
	}
	if tx.bytes += size; tx.bytes > maxTx {
		tx.abort = []byte(tooLargeTx)
		return
	}
	q := queued{log: messageOf(cmd, args)}
	if !cmd.arityOK(len(args)) {
		tx.bad = true
		tx.cmds = append(tx.cmds, q)
		return
	}
	db := s.target.DB
	if tx.db >= 0 {
		db = tx.db
	}
	before := len(tx.needs)
	for _, key := range cmd.needed(args) {
		if r := cmd.needs.serves(s.srv, db, key); r != nil && !tx.says(db, key) {
			tx.need(s, db, key, r)
		}
	}
	if loads := tx.read(s, &q, cmd, args, db); (loads || len(tx.needs) > before) && !s.mayReadAll() {
		tx.permit(s, args)
	}
	tx.write(cmd, args, db)
	tx.hide(&q, cmd, db)
	if cmd.name == "select" && len(args) == 2 {
		if db, ok := parseInt(args[1]); ok && db >= 0 && db == int64(int32(db)) {
			tx.db, q.db = int(db), int(db)+1
		}
	}
	tx.cmds = append(tx.cmds, q)
}

// read notes what the command reads, and tells whether something of that may have to be loaded.
func (tx *transaction) read(s *session, q *queued, cmd *command, args [][]byte, db int) (loads bool) {
	if cmd.read == noRead {
		return false
	}
	q.detail = &detail{}
	if cmd.read == opGetRange {
		start, ok1 := parseInt(args[2])
		end, ok2 := parseInt(args[3])
		if !ok1 || !ok2 {
			return false // Redis will say what is wrong
		}
		q.detail.start, q.detail.end = start, end
	}
	q.read = cmd.read
	words := args[1:2]
	if cmd.read == opMGet {
		words = args[1:]
	}
	if cmd.read.isHash() {
		q.detail.keys = copyWords(args[2:])
	}
	for _, k := range copyWords(words) {
		r := txRead{key: k, db: db, route: s.srv.serves(db, k, cmd.read), need: -1}
		if r.route != nil && !tx.says(db, k) {
			r.open = true
			r.patch = !tx.unsure && !tx.wrote[string(k)] && db == s.target.DB
			// An object is not to pass through here to be put into a reply: it goes to Redis piece by piece.
			tx.eager = tx.eager || !r.patch || cmd.read.vague() || r.route.IsObject()
			tx.routed = tx.routed || r.patch
			loads = true
		}
		q.reads = append(q.reads, r)
	}
	return loads
}

// write notes what the command may change.
func (tx *transaction) write(cmd *command, args [][]byte, db int) {
	if !cmd.writes {
		return
	}
	tx.writes, tx.eager = true, true
	wrote := func(key []byte) {
		if tx.wrote == nil {
			tx.wrote = map[string]bool{}
		}
		tx.wrote[string(key)] = true
	}
	if !cmd.keys(args, wrote) {
		tx.unsure = true
	}
	switch {
	case tx.unsure && empties(args):
		if tx.emptied == nil {
			tx.emptied = map[int]bool{}
		}
		if cmd.name == "flushall" {
			db = -1
		}
		tx.emptied[db] = true
	case settles(cmd, args):
		if tx.settled == nil {
			tx.settled = map[dbKey]bool{}
		}
		cmd.keys(args, func(key []byte) { tx.settled[dbKey{db, string(key)}] = true })
	}
}

// need notes a key that must be in Redis before EXEC and returns its place.
func (tx *transaction) need(s *session, db int, key []byte, r *route.Route) int {
	k := dbKey{db, string(key)}
	if i, ok := tx.at[k]; ok {
		return i
	}
	if tx.at == nil {
		tx.at = map[dbKey]int{}
	}
	tx.at[k] = len(tx.needs)
	tx.needs = append(tx.needs, txNeed{db: db, want: cache.Want{Key: []byte(k.key), Route: r, Track: s.tracks(r)}})
	return len(tx.needs) - 1
}

// permit finds out whether Redis lets the client run a command for which something may have to be loaded.
func (tx *transaction) permit(s *session, args [][]byte) {
	s.submit()
	user := s.target.User
	s.mu.Unlock()
	may, err := s.srv.permits(user, args)
	s.mu.Lock()
	if err != nil {
		tx.abort = abortReply(err)
	}
	tx.bad = tx.bad || !may
}

// abortReply is what EXEC is answered if something could not be loaded and nothing was done.
func abortReply(err error) []byte {
	return append([]byte("-EXECABORT Transaction discarded because what it reads could not be loaded: "), errorReply(err)[1:]...)
}

// plan has everything loaded that must be in Redis before EXEC. false: tx.abort says why the transaction cannot be run. What was sent before is done
// first. The lock is held, and is given up meanwhile.
//
// A client that watches keys: what it watches was loaded before WATCH was forwarded (needs). If such a key is absent now,
//
//  1. there was no row: if there is one by now, the value has changed, and that EXEC fails is right;
//  2. or the key was removed, evicted or has expired since: Redis fails EXEC anyway.
//
// So filling it does not fail an EXEC that would have been done on a Redis that held all rows.
func (s *session) plan(tx *transaction) bool {
	if tx.abort != nil {
		return false
	}
	if tx.bad {
		return true // Redis will say why
	}
	if tx.eager {
		for i := range tx.cmds {
			reads := tx.cmds[i].reads
			for k := range reads {
				if r := &reads[k]; r.open {
					r.need = tx.need(s, r.db, r.key, r.route)
				}
			}
		}
	}
	if len(tx.needs) == 0 {
		return true
	}
	s.drain()
	err := s.loadNeeds(func(ctx context.Context) error { return s.srv.ensureAll(ctx, tx.needs) })
	if err != nil {
		tx.abort = abortReply(err)
	}
	return err == nil
}

// ensureAll has keys loaded, those of a database together, and notes what was found.
func (srv *Server) ensureAll(ctx context.Context, list []txNeed) error {
	done := map[int]bool{}
	for i := range list {
		db := list[i].db
		if done[db] {
			continue
		}
		done[db] = true
		var wants []cache.Want
		var at []int
		for n := i; n < len(list); n++ {
			if list[n].db == db {
				wants, at = append(wants, list[n].want), append(at, n)
			}
		}
		found, err := srv.opts.Engine.Ensure(ctx, db, wants)
		if err != nil {
			return err
		}
		for n, f := range found {
			list[at[n]].found = f
		}
	}
	return nil
}
