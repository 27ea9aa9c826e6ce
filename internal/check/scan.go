package check

import (
	"bytes"
	"encoding/binary"
	"math"
)

// maxLine bounds the text forms of protocol 0 that are not data: numbers, names, memo keys. Python itself refuses integers of more than
// 4,300 digits.
const maxLine = 4300

// token is one opcode with its argument: b[lo:hi], without length or newline. Of two lines the second is b[lo2:hi].
type token struct {
	op          byte
	at          int // offset of the opcode
	lo, hi, lo2 int
}

// scanner takes a pickle apart. It never looks at a byte twice but for the search of newlines, which ends where the token does.
type scanner struct {
	b     []byte // the value, or its first bytes
	size  int64  // of the whole value
	pos   int
	frame int64 // where the open frame ends; 0 outside of frames
	cut   bool  // set when the next token is not all in b, but may be in the value
	proto bool  // a PROTO was seen
}

// next returns the next opcode, PROTO and FRAME excepted: those it checks itself. With cut set the token is void.
func (s *scanner) next() (t token, f *fault) {
	for {
		if t, f = s.token(); f != nil || s.cut {
			return t, f
		}
		switch t.op {
		case opProto:
			f = s.takeProto(t)
		case opFrame:
			f = s.takeFrame(t)
		default:
			return t, s.leaveFrame(t)
		}
		if f != nil {
			return t, f
		}
	}
}

func (s *scanner) token() (t token, f *fault) {
	t.at = s.pos
	if int64(s.pos) >= s.size {
		return t, faultf(s.pos, "it ends without STOP")
	}
	if s.pos >= len(s.b) {
		s.cut = true
		return t, nil
	}
	t.op = s.b[s.pos]
	kind, width := argumentOf(t.op)
	t.lo, t.hi = s.pos+1, s.pos+1
	switch kind {
	case argNone:
	case argFixed:
		f = s.extend(&t, uint64(width))
	case argCounted:
		f = s.counted(&t, width)
	case argLine:
		f = s.line(&t)
	case argLines:
		if f = s.line(&t); f == nil && !s.cut {
			first := t.lo
			t.lo = t.hi + 1
			if f = s.line(&t); f == nil {
				t.lo, t.lo2 = first, t.lo
			}
		}
	default:
		f = faultf(t.at, "0x%02x is no opcode", t.op)
	}
	if f != nil || s.cut {
		return t, f
	}
	s.pos = t.hi
	if kind == argLine || kind == argLines {
		s.pos++
	}
	return t, nil
}

// extend lengthens a token by n bytes. n is compared before it is converted: it may be any 64 bits.
func (s *scanner) extend(t *token, n uint64) *fault {
	if n > uint64(s.size)-uint64(t.hi) {
		return faultf(t.at, "opcode 0x%02x needs %d bytes, %d are left", t.op, n, s.size-int64(t.hi))
	}
	if n > uint64(len(s.b)-t.hi) {
		s.cut = true
		return nil
	}
	t.hi += int(n)
	return nil
}

func (s *scanner) counted(t *token, width int) *fault {
	if f := s.extend(t, uint64(width)); f != nil || s.cut {
		return f
	}
	n := s.number(t.lo, t.hi)
	if width == 4 && (t.op == opBinString || t.op == opLong4) && n > math.MaxInt32 {
		return faultf(t.at, "opcode 0x%02x has a length below zero", t.op)
	}
	t.lo = t.hi
	return s.extend(t, n)
}

// line sets the token's end to the next newline after t.lo. Only texts may be long; the others are looked for in maxLine bytes, so that
// many openings without a newline cost no more than that each.
func (s *scanner) line(t *token) *fault {
	rest := s.b[t.lo:]
	long := t.op == opUnicode || t.op == opString
	if !long && len(rest) > maxLine {
		rest = rest[:maxLine]
	}
	n := bytes.IndexByte(rest, '\n')
	switch {
	case n >= 0:
		t.hi = t.lo + n
	case !long && len(rest) == maxLine:
		return faultf(t.at, "the line after opcode %q is longer than %d bytes", t.op, maxLine)
	case int64(len(s.b)) == s.size:
		return faultf(t.at, "the line after opcode %q does not end", t.op)
	default:
		s.cut = true
	}
	return nil
}

// number reads a little-endian number of 1 to 8 bytes.
func (s *scanner) number(lo, hi int) uint64 {
	var le [8]byte
	copy(le[:], s.b[lo:hi])
	return binary.LittleEndian.Uint64(le[:])
}

func (s *scanner) takeProto(t token) *fault {
	if t.at != 0 {
		return faultf(t.at, "PROTO is not at the beginning")
	}
	if v := s.b[t.lo]; v > 5 {
		return faultf(t.at, "protocol %d is not known", v)
	}
	s.proto = true
	return nil
}

// takeFrame opens a frame. Python's readers differ in what they do with frames that overlap or are cut through by an opcode, so
// neither may be: readers that disagree about where an opcode begins are how a checker is passed by.
func (s *scanner) takeFrame(t token) *fault {
	if f := s.leaveFrame(t); f != nil {
		return f
	}
	if s.frame != 0 {
		return faultf(t.at, "a frame begins in a frame")
	}
	n := s.number(t.lo, t.hi)
	if n > uint64(s.size)-uint64(s.pos) {
		return faultf(t.at, "a frame of %d bytes, %d are left", n, s.size-int64(s.pos))
	}
	if n > 0 {
		s.frame = int64(s.pos) + int64(n)
	}
	return nil
}

// leaveFrame is called after each token: it may not reach over the frame's end, and may end it.
func (s *scanner) leaveFrame(t token) *fault {
	if s.frame == 0 || int64(s.pos) < s.frame {
		return nil
	}
	if int64(s.pos) > s.frame {
		return faultf(t.at, "opcode 0x%02x reaches over the end of its frame", t.op)
	}
	s.frame = 0
	return nil
}

// end checks that a STOP, just read, is where the value ends.
func (s *scanner) end(t token) *fault {
	if left := s.size - int64(s.pos); left > 0 {
		return faultf(t.at, "%d bytes follow STOP", left)
	}
	return nil
}
