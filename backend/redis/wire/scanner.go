package wire

import (
	"bytes"
	"errors"
)

// maxLine bounds a reply's header line. Only simple strings and errors are ever long.
const maxLine = 1 << 20

// maxDepth bounds the nesting of aggregates.
const maxDepth = 512

var errReply = errors.New("malformed reply from redis")

// Scanner finds the end of a reply in a stream of bytes, RESP2 or RESP3, whatever its nesting, without
// looking at any byte twice. The zero value is ready.
type Scanner struct {
	left []int64 // values still wanted of each open aggregate, outermost first
	skip int64   // bytes of the current bulk still to come, CRLF included
}

// Scan consumes b from where the last call ended. It returns the number of bytes consumed and whether a reply
// ended there. An incomplete header line is not consumed: give it again with more behind it.
func (s *Scanner) Scan(b []byte) (n int, done bool, err error) {
	for {
		if s.skip > 0 {
			if rest := int64(len(b) - n); rest < s.skip {
				s.skip -= rest
				return len(b), false, nil
			}
			n += int(s.skip)
			s.skip = 0
			if s.value() {
				return n, true, nil
			}
			continue
		}
		rest := b[n:]
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			if len(rest) > maxLine {
				return n, false, errReply
			}
			return n, false, nil
		}
		if i < 2 || rest[i-1] != '\r' {
			return n, false, errReply
		}
		ended, err := s.header(rest[0], rest[1:i-1])
		if err != nil {
			return n, false, err
		}
		n += i + 1
		if ended {
			return n, true, nil
		}
	}
}

// Pending is the number of bytes that the current bulk still lacks: what a caller may expect at least.
func (s *Scanner) Pending() int64 { return s.skip }

// header takes one header line and tells whether it ended the reply.
func (s *Scanner) header(kind byte, line []byte) (bool, error) {
	switch kind {
	case '+', '-', ':', '_', '#', ',', '(':
		return s.value(), nil
	case '$', '=', '!':
		n, ok := parseLen(line)
		if !ok {
			return false, errReply
		}
		if n < 0 {
			return s.value(), nil
		}
		s.skip = n + 2
		return false, nil
	case '*', '~', '>', '%', '|':
		n, ok := parseLen(line)
		if !ok {
			return false, errReply
		}
		if kind == '%' || kind == '|' {
			n *= 2
		}
		if kind == '|' {
			n++ // an attribute precedes the value it is about
		}
		if n <= 0 {
			return s.value(), nil
		}
		if len(s.left) >= maxDepth {
			return false, errReply
		}
		s.left = append(s.left, n)
		return false, nil
	default:
		return false, errReply
	}
}

// value counts one value as complete and tells whether that completed the reply.
func (s *Scanner) value() bool {
	for len(s.left) > 0 {
		top := len(s.left) - 1
		s.left[top]--
		if s.left[top] > 0 {
			return false
		}
		s.left = s.left[:top]
	}
	return true
}

// parseLen reads a length: decimal, or −1 for null. At most 2^40, so that sums of lengths cannot overflow.
func parseLen(b []byte) (int64, bool) {
	if len(b) == 2 && b[0] == '-' && b[1] == '1' {
		return -1, true
	}
	if len(b) == 0 || len(b) > 12 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, n <= 1<<40
}
