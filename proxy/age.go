package proxy

import (
	"strconv"
	"time"

	"forebay/internal/route"
)

// Of a route whose values have ages (route.Route.Ages), a read is sent behind a PTTL of its key, on the same connection and in the same write, so that its reply is
// preceded by the age of what it shows. In front, not behind, so that it is known before a byte of a large value is passed on:
//
//   - fresh: the reply is passed on.
//   - aging: the same, and the engine is told to refresh the value.
//   - stale or overdue, or not known (the user may not run PTTL): the reply is kept back, and the slot is a miss. The engine looks once more, and knows in one step how
//     old the value is and whether it is Forebay's own; it gives it out, marked if it is stale, or loads another (internal/cache/stale.go).
//
// What can happen between the two replies does no harm. W: another client that writes k.
//
//  1. PTTL says that little is left, W sets k, GET shows W's value. It is taken for an old one: the engine looks, and finds it is W's.
//  2. PTTL says that much is left. W removes k and sets it for a short time, GET shows that: it is W's, and W's values have no age.
//  3. PTTL finds no key, W sets k: as 2. PTTL finds one, and it ends, GET finds none: a miss.
//
// Reads that must find their client's own connection as it is (which watches, tracks, is subscribed …), and reads of other kinds (GETRANGE, STRLEN, GETEX, GETDEL,
// in transactions and scripts), take a value for fresh as long as Redis has it.

// ageUnknown is the age of a value of which Redis does not tell it.
const ageUnknown = route.Overdue + 1

// asksAge tells whether a read of the operation is to be sent behind a PTTL.
func (s *session) asksAge(op readOp, r *route.Route) bool {
	return r != nil && r.Ages() && (op == opGet || op == opMGet || op.isHash()) && (!s.own || !s.stateful())
}

// askAge has the slot of a read of one key await its age.
func (s *session) askAge(sl *slot) {
	if !s.asksAge(sl.op, sl.route) {
		return
	}
	if s.agesRefused {
		sl.age = ageUnknown
		return
	}
	sl.looks = 1
}

// askAges is askAge of an MGET.
func (s *session) askAges(sl *slot) {
	d := sl.more
	for i, r := range d.routes {
		if !s.asksAge(opMGet, r) {
			continue
		}
		if d.ages == nil {
			d.ages = make([]route.Age, len(d.keys))
		}
		if d.ages[i] = ageUnknown; !s.agesRefused {
			sl.looks++
		}
	}
}

// appendAged adds a read's frame to the batch, behind the questions for the ages that its slot awaits.
func (s *session) appendAged(frame []byte, sl *slot) {
	if s.batchN == 0 {
		s.batchFrom = s.fifo.tail - 1
	}
	looks := sl.looks
	sl.n += looks
	b := s.questions[:0]
	if sl.kind == readOne {
		b = appendPTTL(b, sl.key)
	} else {
		for i, k := range sl.more.keys {
			if sl.more.ages[i] == ageUnknown {
				b = appendPTTL(b, k)
			}
		}
	}
	s.questions = b
	s.extend(b, looks)
	s.extend(frame, 1)
	if cap(s.questions) > keepBuffer {
		s.questions = nil
	}
}

func appendPTTL(b, key []byte) []byte {
	b = append(b, "*2\r\n$4\r\nPTTL\r\n$"...)
	b = append(strconv.AppendInt(b, int64(len(key)), 10), "\r\n"...)
	return append(append(b, key...), "\r\n"...)
}

// takeAge takes the answer to one question for an age.
func (s *session) takeAge(sl *slot, b []byte) {
	sl.looks--
	age := ageUnknown
	r := sl.route
	if sl.kind == readMany {
		for sl.more.ages[sl.more.aged] != ageUnknown {
			sl.more.aged++
		}
		r = sl.more.routes[sl.more.aged]
	}
	if b[0] == ':' {
		ms, _ := parseInt(b[1 : len(b)-2])
		age = r.Age(time.Duration(ms) * time.Millisecond)
	} else {
		s.agesRefused = true
	}
	if sl.kind == readMany {
		sl.more.ages[sl.more.aged] = age
		sl.more.aged++
		return
	}
	sl.age = age
}

// tooOld tells whether a value of this age is not to be passed on before the engine has looked at it. One that is aging is to be refreshed.
func (s *session) tooOld(key []byte, r *route.Route, age route.Age) bool {
	if age == route.Aging {
		s.srv.opts.Engine.Refresh(s.target.DB, key, r)
	}
	return age >= route.Stale
}
