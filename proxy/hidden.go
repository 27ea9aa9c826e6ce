package proxy

import (
	"bytes"
	"strconv"

	"forebay/backend"
)

// What Forebays keep for themselves in Redis ([backend.HiddenPrefix]) is left out where a client lists keys. An array tells the number of its elements
// before the first of them, so the whole of a list is looked at before any of it is passed on: of up to gatherMax bytes. Beyond that it is passed on as it
// is, own keys and all; to count them beforehand would be a second KEYS, which stops Redis for as long and may count others.

// mayName tells whether one of Forebay's own names may be in b. It is what a reply without any costs.
func mayName(b []byte) bool { return bytes.Contains(b, []byte(backend.HiddenPrefix)) }

// own tells whether b begins with a bulk that is one of Forebay's own names.
func own(b []byte) bool {
	if len(b) == 0 || b[0] != '$' {
		return false
	}
	return bytes.HasPrefix(b[bytes.IndexByte(b, '\n')+1:], []byte(backend.HiddenPrefix))
}

// visible is the reply of KEYS, or of SCAN, which tells a cursor first, without Forebay's own names. Anything else, and what has none of them, is returned
// as it is. If b is the caller's to change (mine), so is what is returned; else that is b itself, or a copy.
func visible(b []byte, scan, mine bool) []byte {
	if !mayName(b) {
		return b
	}
	from := 0
	if scan {
		n, head := countOf(b)
		size := bulkSize(b[head:])
		if n != 2 || size == 0 {
			return b
		}
		from = head + size
	}
	n, head := countOf(b[from:])
	first := from + head
	hidden, ok := hiddenAmong(b[first:], n)
	if !ok || hidden == 0 {
		return b
	}
	var out []byte
	if mine {
		out = b[:0] // what is written never overtakes what is read
	}
	out = append(out, b[:from]...)
	out = append(strconv.AppendInt(append(out, '*'), n-hidden, 10), "\r\n"...)
	for rest := b[first:]; n > 0; n-- {
		size := bulkSize(rest)
		if !own(rest) {
			out = append(out, rest[:size]...)
		}
		rest = rest[size:]
	}
	return out
}

// hiddenAmong counts Forebay's own among n bulks. ok is false if b is anything else than n bulks.
func hiddenAmong(b []byte, n int64) (hidden int64, ok bool) {
	for ; n > 0; n-- {
		size := bulkSize(b)
		if size == 0 {
			return 0, false
		}
		if own(b[:size]) {
			hidden++
		}
		b = b[size:]
	}
	return hidden, len(b) == 0
}

// countOf reads an array's header: how many elements it announces, and its length; 0, 0 if it is none.
func countOf(b []byte) (n int64, size int) {
	end := bytes.IndexByte(b, '\n')
	if end < 3 || b[0] != '*' {
		return 0, 0
	}
	n, ok := parseInt(b[1 : end-1])
	if !ok || n < 0 {
		return 0, 0
	}
	return n, end + 1
}

// bulkSize is the length of the bulk at the front of b, header and end included; 0 if there is none that is whole.
func bulkSize(b []byte) int {
	end := bytes.IndexByte(b, '\n')
	if end < 3 || b[0] != '$' {
		return 0
	}
	n, ok := parseInt(b[1 : end-1])
	if !ok || n < 0 || n > int64(len(b)-end-3) {
		return 0
	}
	return end + 1 + int(n) + 2
}

// withoutOwn is the editor of lists without a cursor.
func withoutOwn(b []byte) []byte { return visible(b, false, false) }

// keyspace forwards KEYS, SCAN and RANDOMKEY.
func (s *session) keyspace(cmd *command, frame []byte) {
	switch cmd.name {
	case "keys":
		s.append(frame, s.push(keysReply, cmd, 1))
	case "scan":
		s.append(frame, s.push(scanReply, cmd, 1))
	default:
		s.randomKey(cmd, frame)
	}
}

// hide notes what of the reply to a queued command is not for its client.
func (tx *transaction) hide(q *queued, cmd *command, db int) {
	if cmd.class != keyspace {
		return
	}
	tx.lists = true
	switch cmd.name {
	case "keys":
		q.alter = withoutOwn
	case "scan":
		q.alter = func(b []byte) []byte { return visible(b, true, false) }
	default:
		tx.randoms++
		q.random = db + 1
	}
}

// listBegin begins to gather a large reply of KEYS or SCAN.
func (s *session) listBegin(sl *slot) {
	sl.more = &detail{}
	sl.state = gathering
	s.streamed.list, s.streamed.muted = true, sl.muted
}

// listPart takes the next bytes of a large list and returns what is to be passed on then: nothing until all is there, or too much.
func (s *session) listPart(b []byte, last bool) (pass []byte) {
	sl := s.fifo.at(s.streamed.slot)
	d := sl.more
	d.reply = append(d.reply, b...)
	s.gathered = len(d.reply)
	s.weighOut()
	if !last && len(d.reply) <= gatherMax {
		return nil
	}
	s.streamed.list = false
	sl.state = streaming
	pass, d.reply = d.reply, nil
	if last {
		pass = visible(pass, sl.kind == scanReply, true)
	}
	return pass
}
