package proxy

import (
	"slices"
	"time"

	"github.com/tidwall/redcon"

	"forebay/backend/redis/wire"
	"forebay/internal/cache"
	"forebay/internal/event"
	"forebay/internal/route"
)

// miss is a read whose keys must be loaded, as its slot stood when that was found. Keys are borrowed from the slot, which stays
// until it is ready.
type miss struct {
	seq    uint64
	at     int64  // when its budget began, by wire.Now
	noLook bool   // Redis does not answer
	blind  []bool // of a transaction that writes: for each want, whether what Redis holds now may not be what the read saw
	wants  []cache.Want
	index  []int // for each want: which of an MGET's keys, or of a transaction's commands, it is
	sub    []int // transactions: which of the command's keys
}

// miss marks a slot as loading and notes what it lacks. The lock is held; load must be called before it is released.
func (s *session) miss(seq uint64, sl *slot, noLook bool) {
	sl.state = loading
	m := miss{seq: seq, at: s.arrived(sl), noLook: noLook}
	switch sl.kind {
	case readOne:
		m.wants = []cache.Want{{Key: sl.key, Route: sl.route}}
	case readMany:
		m.wantMany(sl.more, sl.more.reply)
	case execReply:
		m.wantExec(sl.more)
	}
	for i := range m.wants {
		m.wants[i].Track = s.tracks(m.wants[i].Route)
	}
	s.missed = append(s.missed, m)
}

// wantMany asks for the routed keys that an MGET's reply lacks; all of them if there is no reply.
func (m *miss) wantMany(d *detail, reply []byte) {
	want := func(i int) {
		if i < len(d.keys) && d.routes[i] != nil {
			m.wants = append(m.wants, cache.Want{Key: d.keys[i], Route: d.routes[i]})
			m.index = append(m.index, i)
		}
	}
	if len(reply) == 0 {
		for i := range d.keys {
			want(i)
		}
		return
	}
	eachElement(reply, func(i int, e []byte) {
		if null(e) || slices.Contains(d.bad, i) {
			want(i)
		}
	})
}

// load has everything loaded that was missed, together: the misses of a pipeline are one batch. The lock is held.
func (s *session) load() {
	if len(s.missed) == 0 {
		return
	}
	missed := s.missed
	s.missed = nil
	mode := cache.Mode{NoFill: s.pins.watching}
	db, target := s.target.DB, s.target
	s.srv.wg.Add(1)
	go func() {
		defer s.srv.wg.Done()
		s.loadAll(db, target, missed, mode)
	}()
}

// loadAll runs on a goroutine of its own and fills the slots. Reads of different modes are different batches.
func (s *session) loadAll(db int, target wire.Target, missed []miss, mode cache.Mode) {
	var batches [4][]miss
	s.mu.Lock()
	for _, m := range missed {
		i := 0
		switch {
		case m.blind != nil:
			i = 3
		case m.noLook:
			i = 1
		case !s.gone && s.fifo.at(m.seq).op == opGetDel:
			i = 2 // loaded, replied, not stored
		}
		batches[i] = append(batches[i], m)
	}
	s.mu.Unlock()
	for i, list := range batches {
		if len(list) == 0 {
			continue
		}
		if i == 3 {
			for _, m := range list {
				s.loadBatch(db, target, []miss{m}, mode)
			}
			continue
		}
		md := mode
		md.NoLook = i == 1
		md.NoFill = md.NoFill || i != 0 // a fill that Redis does not answer now could arrive behind a later DEL
		s.loadBatch(db, target, list, md)
	}
}

func (s *session) loadBatch(db int, target wire.Target, list []miss, mode cache.Mode) {
	results := s.srv.read(db, list, mode)
	rest := results
	for _, m := range list {
		if m.index != nil { // an MGET's or a transaction's: its reply is made here, of values
			s.srv.fetch(db, m.wants, rest[:len(m.wants)])
		}
		rest = rest[len(m.wants):]
	}
	var later []func()
	joined := 0
	s.mu.Lock()
	s.clock = wire.Now()
	for _, m := range list {
		mine := results[:len(m.wants)]
		results = results[len(m.wants):]
		for i := range mine {
			if mine[i].Joined {
				joined++
			}
		}
		if s.gone {
			continue
		}
		switch s.loaded(&m, mine) {
		case sendAgain:
			later = append(later, func() { s.resend(m.seq, target) })
		case askRedis:
			later = append(later, func() { s.reread(m.seq, target, 0) })
		case handOut:
			later = append(later, func() { s.handOut(m.seq, mine[0].Value) })
		}
		s.advance()
	}
	if joined > 0 && s.name != "" {
		s.srv.opts.Sessions.Coalesced(s.name, joined)
	}
	s.mu.Unlock()
	s.Flush()
	for _, f := range later {
		f()
	}
	s.Flush()
}

// read has the engine read what the misses lack.
func (srv *Server) read(db int, list []miss, mode cache.Mode) []cache.Result {
	if blind := list[0].blind; blind != nil {
		return srv.readBlind(db, list, blind, mode)
	}
	var wants []cache.Want
	for _, m := range list {
		wants = append(wants, m.wants...)
	}
	return srv.engineRead(db, list, wants, mode)
}

// readBlind reads those wants that are blind from the source alone, and the others as usual.
func (srv *Server) readBlind(db int, list []miss, blind []bool, mode cache.Mode) []cache.Result {
	wants := list[0].wants
	results := make([]cache.Result, len(wants))
	for _, now := range []bool{false, true} {
		var part []cache.Want
		var at []int
		for i := range wants {
			if blind[i] == now {
				part, at = append(part, wants[i]), append(at, i)
			}
		}
		if len(part) == 0 {
			continue
		}
		read := func() []cache.Result { return srv.engineRead(db, list, part, mode) }
		if now {
			read = func() []cache.Result { return srv.engineSource(db, list, part) }
		}
		for i, res := range read() {
			results[at[i]] = res
		}
	}
	return results
}

// todo is what is left to do for a slot whose load has ended.
type todo uint8

const (
	nothingMore todo = iota
	sendAgain        // GETEX, now that the value is there
	askRedis         // the value is in Redis, and too large to have come through here, or to be taken from there (GETDEL)
	handOut          // the value is large: it goes out piece by piece
)

// loaded gives a slot what was loaded for it, or tells what must be done instead.
func (s *session) loaded(m *miss, results []cache.Result) todo {
	sl := s.fifo.at(m.seq)
	switch sl.kind {
	case readMany:
		s.loadedMany(m, sl, results)
	case execReply:
		s.loadedExec(m, sl, results)
	default:
		res := &results[0]
		s.recordLoad(sl, sl.key, sl.route, res)
		switch {
		case res.Err == nil && (res.Stored || sl.takes(res)):
			return askRedis
		case sl.op == opGetEx && res.Err == nil && res.Value != nil:
			sl.more.reply = redcon.AppendBulk(nil, res.Value)
			return sendAgain
		case sl.handsOut(res):
			return handOut
		}
		s.finish(m.seq, sl, s.appendResult(nil, sl.op, sl.more, res))
	}
	return nothingMore
}

// loadedMany makes an MGET's reply: one failed key fails it whole.
func (s *session) loadedMany(m *miss, sl *slot, results []cache.Result) {
	d := sl.more
	for i := range results {
		s.recordLoad(sl, d.keys[m.index[i]], d.routes[m.index[i]], &results[i])
	}
	for i := range results {
		if results[i].Err != nil && !wrongType(results[i].Err) {
			s.finish(m.seq, sl, []byte(errorReply(results[i].Err)))
			return
		}
	}
	size := len(d.reply) + 16
	for i := range results {
		size += len(results[i].Value) + 24
	}
	out := redcon.AppendArray(make([]byte, 0, size), len(d.keys))
	next := 0
	add := func(i int, e []byte) {
		if next < len(m.index) && m.index[next] == i {
			res := results[next]
			res.Err = nil // of another type: nil, as MGET has it
			out = s.appendResult(out, opGet, nil, &res)
			next++
			return
		}
		out = append(out, e...)
	}
	if len(d.reply) > 0 {
		eachElement(d.reply, add)
	} else {
		for i := range d.keys { // Redis does not answer: what has no route cannot be told
			if d.routes[i] == nil {
				s.finish(m.seq, sl, []byte(redisDown))
				return
			}
			add(i, nil)
		}
	}
	s.finish(m.seq, sl, out)
}

// appendResult appends the reply that a read gets for what was loaded.
func (s *session) appendResult(b []byte, op readOp, d *detail, res *cache.Result) []byte {
	switch {
	case res.Err != nil:
		return append(b, errorReply(res.Err)...)
	case op.isHash():
		return s.appendHash(b, op, d.keys, res)
	case op == opStrLen:
		return redcon.AppendInt(b, int64(len(res.Value)))
	case op == opGetRange:
		return redcon.AppendBulk(b, cut(res.Value, d.start, d.end))
	case res.Value == nil:
		return append(b, s.null()...)
	default:
		return redcon.AppendBulk(b, res.Value)
	}
}

func (s *session) null() string {
	if s.target.Proto == 3 {
		return "_\r\n"
	}
	return "$-1\r\n"
}

// cut is GETRANGE's part of a value: both ends inclusive, negative ones from the end.
func cut(v []byte, start, end int64) []byte {
	n := int64(len(v))
	if start < 0 && end < 0 && start > end {
		return nil
	}
	if start < 0 {
		start = max(0, n+start)
	}
	if end < 0 {
		end = max(0, n+end)
	}
	end = min(end, n-1)
	if start > end || n == 0 {
		return nil
	}
	return v[start : end+1]
}

// recordLoad records the one event of a key that was loaded, or was in Redis after all.
func (s *session) recordLoad(sl *slot, key []byte, r *route.Route, res *cache.Result) {
	ev := event.Event{Kind: event.Miss}
	switch {
	case res.Err != nil:
		ev.Result, ev.Error = event.Failed, line(res.Err.Error())
	case res.Value == nil && !res.Stored:
		ev.Result = event.Absent
	case res.Cached:
		ev.Kind, ev.Origin, ev.Bytes = event.Hit, event.FromRedis, max(res.Bytes, int64(len(res.Value)))
		if res.Stale {
			ev.Result = event.Stale
			if res.Cause != nil {
				ev.Error = line(res.Cause.Error())
			}
		}
	default:
		ev.Result, ev.Origin, ev.Bytes = event.Loaded, event.FromSource, max(res.Bytes, int64(len(res.Value)))
	}
	s.recordKey(sl, key, r, ev)
}

func (s *session) recordKey(sl *slot, key []byte, r *route.Route, ev event.Event) {
	switch ev.Kind {
	case event.Hit:
		s.srv.hits.Add(1)
		if ev.Origin == event.FromRedis {
			s.srv.opts.Engine.Slide(s.target.DB, key, r)
		}
	case event.Miss:
		s.srv.misses.Add(1)
	}
	ev.Key, ev.DB, ev.Duration = key, s.target.DB, time.Duration(s.clock-sl.at)
	if r != nil {
		ev.Route = r.Name
	}
	s.rec.Record(&ev)
}
