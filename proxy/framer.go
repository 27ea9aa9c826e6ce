package proxy

import (
	"bytes"
	"fmt"
)

// streamAt is the size from which a frame is streamed to Redis instead of being gathered: 256 KiB.
const streamAt = 256 << 10

// maxInline bounds an inline command and every header line, as in Redis.
const maxInline = 64 << 10

// protocolError is what Redis answers to a malformed frame before it closes the connection.
type protocolError string

func (e protocolError) Error() string { return "Protocol error: " + string(e) }

// frameKind says what the framer found.
type frameKind uint8

const (
	needMore  frameKind = iota // the frame is not whole yet
	wholeRESP                  // a whole frame of RESP
	wholeLine                  // a whole inline command, without its line end
	nothing                    // bytes that mean nothing: an empty line, "*0"
	largeRESP                  // a frame of at least streamAt bytes: its start is there
)

// framer follows a frame's headers as its bytes arrive, so that nothing is looked at twice however it is
// fragmented, and bounds counts and sizes before anything is made room for. The zero value with limits set is ready.
type framer struct {
	maxArgs  int64 // words of one command
	maxBytes int64 // bytes of one word
	whole    bool  // the frame at hand is gathered however large it is

	begun bool  // the fields below are those of a frame whose count was read
	pos   int64 // how far the frame was followed
	args  int64 // words still to come
	bulk  int64 // length of the bulk that begins at pos; −1: a header is next
}

// next looks at b, which must begin with the frame that the last call left incomplete. n is the number of bytes of a whole frame (with its line end),
// or of what means nothing. A largeRESP frame goes on with rest; what b holds of it is its beginning.
// An error is a protocolError: what precedes b was fine.
func (f *framer) next(b []byte) (n int, kind frameKind, err error) {
	if len(b) == 0 {
		return 0, needMore, nil
	}
	if !f.begun {
		if b[0] != '*' {
			return f.line(b)
		}
		count, n, err := header(b, 1, "mbulk")
		if err != nil || n == 0 {
			return 0, needMore, err
		}
		if count > f.maxArgs {
			return 0, needMore, protocolError("invalid multibulk length")
		}
		if count <= 0 {
			return n, nothing, nil // as in Redis
		}
		f.begun, f.args, f.pos, f.bulk = true, count, int64(n), -1
	}
	if err := f.follow(b); err != nil {
		return 0, needMore, err
	}
	if f.args == 0 {
		n := int(f.pos)
		f.begun, f.whole = false, false
		return n, wholeRESP, nil
	}
	if !f.whole && f.pos+max(f.bulk, 0) >= streamAt {
		f.begun = false
		return 0, largeRESP, nil
	}
	return 0, needMore, nil
}

// follow goes on to the end of b or of the frame. It mends the two bytes behind each bulk, which Redis does not look at and the codec does.
func (f *framer) follow(b []byte) error {
	for f.args > 0 {
		if f.bulk < 0 {
			if f.pos >= int64(len(b)) {
				return nil
			}
			if b[f.pos] != '$' {
				return protocolError(fmt.Sprintf("expected '$', got '%c'", b[f.pos]))
			}
			size, n, err := header(b, int(f.pos)+1, "bulk")
			if err != nil || n == 0 {
				return err
			}
			if size < 0 || size > f.maxBytes {
				return protocolError("invalid bulk length")
			}
			f.pos, f.bulk = int64(n), size
		}
		end := f.pos + f.bulk
		if end+2 > int64(len(b)) {
			return nil
		}
		b[end], b[end+1] = '\r', '\n'
		f.pos, f.bulk = end+2, -1
		f.args--
	}
	return nil
}

// line finds an inline command.
func (f *framer) line(b []byte) (int, frameKind, error) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		if len(b) > maxInline {
			return 0, needMore, protocolError("too big inline request")
		}
		return 0, needMore, nil
	}
	if i == 0 || (i == 1 && b[0] == '\r') {
		return i + 1, nothing, nil
	}
	return i + 1, wholeLine, nil
}

// header reads the integer that begins at from and ends with CRLF. n is the offset behind it, 0 if it is incomplete.
func header(b []byte, from int, what string) (v int64, n int, err error) {
	i := bytes.IndexByte(b[from:], '\r')
	if i < 0 {
		if len(b)-from > maxInline {
			return 0, 0, protocolError("too big " + what + " count string")
		}
		return 0, 0, nil
	}
	if from+i+1 >= len(b) {
		return 0, 0, nil // '\n' is still to come; Redis does not look at it either
	}
	v, ok := parseInt(b[from : from+i])
	if !ok {
		if what == "mbulk" {
			return 0, 0, protocolError("invalid multibulk length")
		}
		return 0, 0, protocolError("invalid bulk length")
	}
	return v, from + i + 2, nil
}

// parseInt reads a canonical decimal int64: no sign but '-', no leading zero, as Redis's string2ll.
func parseInt(b []byte) (int64, bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 18 || (b[0] == '0' && (len(b) > 1 || neg)) {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if neg {
		n = -n
	}
	return n, true
}

// words returns the whole words at the beginning of b, which may end anywhere.
func words(b []byte, args [][]byte) [][]byte {
	args = args[:0]
	_, pos, err := header(b, 1, "mbulk")
	for err == nil && pos > 0 && pos < len(b) {
		var size int64
		var n int
		size, n, err = header(b, pos+1, "bulk")
		if err != nil || n == 0 || size < 0 || int64(len(b)-n) < size+2 {
			break
		}
		args = append(args, b[n:n+int(size)])
		pos = n + int(size) + 2
	}
	return args
}
