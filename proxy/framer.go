package proxy

import (
	"bytes"
	"math"
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
	maxWhole int64 // bytes of a frame that is gathered although it is large
	whole    bool  // the frame at hand is gathered although it is large

	begun bool  // the fields below are those of a frame whose count was read
	pos   int64 // how far the frame was followed
	args  int64 // words still to come
	bulk  int64 // length of the bulk that begins at pos; −1: a header is next
	skip  int64 // of a frame that is streamed: bytes still to come before the next header
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
	if size := f.pos + max(f.bulk, 0); size >= streamAt {
		switch {
		case !f.whole:
			return 0, largeRESP, nil
		case size > f.maxWhole:
			return 0, needMore, protocolError("too large a request to be looked at as a whole")
		}
	}
	return 0, needMore, nil
}

// follow goes on to the end of b or of the frame. It mends the two bytes behind each bulk and the last of each header, which Redis does not look
// at and the codec does.
func (f *framer) follow(b []byte) error {
	for f.args > 0 {
		if f.bulk < 0 {
			if err := f.size(b); err != nil || f.bulk < 0 {
				return err
			}
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

// size reads the header of a word at pos, if it is whole.
func (f *framer) size(b []byte) error {
	if f.pos >= int64(len(b)) {
		return nil
	}
	if b[f.pos] != '$' {
		return protocolError("expected '$', got '" + string(b[f.pos:f.pos+1]) + "'")
	}
	size, n, err := header(b, int(f.pos)+1, "bulk")
	if err != nil || n == 0 {
		return err
	}
	if size < 0 || size > f.maxBytes {
		return protocolError("invalid bulk length")
	}
	f.pos, f.bulk = int64(n), size
	return nil
}

// rest follows a largeRESP frame through b, which goes on where the last call ended (at first: where the frame begins). n bytes of b belong to it;
// an incomplete header is not among them.
func (f *framer) rest(b []byte) (n int, done bool, err error) {
	if f.pos > 0 { // the first call: all up to pos was followed
		f.skip = f.pos
		if f.bulk >= 0 {
			f.skip += f.bulk + 2
		}
		f.pos = 0
	}
	for {
		if left := int64(len(b) - n); left < f.skip {
			f.skip -= left
			return len(b), false, nil
		}
		n += int(f.skip)
		f.skip = 0
		if f.bulk >= 0 {
			f.bulk = -1
			f.args--
		}
		if f.args == 0 {
			f.begun = false
			return n, true, nil
		}
		if n == len(b) {
			return n, false, nil
		}
		f.pos = int64(n)
		err := f.size(b)
		end, bulk := int(f.pos), f.bulk
		f.pos = 0
		if err != nil || bulk < 0 {
			return n, false, err
		}
		n, f.skip = end, bulk+2
	}
}

// line finds an inline command.
func (f *framer) line(b []byte) (int, frameKind, error) {
	i := bytes.IndexByte(b[:min(len(b), maxInline+1)], '\n')
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
	i := bytes.IndexByte(b[from:min(len(b), from+maxInline+1)], '\r')
	if i < 0 {
		if len(b)-from > maxInline {
			return 0, 0, protocolError("too big " + what + " count string")
		}
		return 0, 0, nil
	}
	if from+i+1 >= len(b) {
		return 0, 0, nil // '\n' is still to come
	}
	b[from+i+1] = '\n' // Redis does not look at it; the codec does
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
	if len(b) == 0 || len(b) > 19 || (b[0] == '0' && (len(b) > 1 || neg)) {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0') // 19 digits fit
	}
	switch {
	case neg && n <= math.MaxInt64+1:
		return -int64(n), true
	case neg || n > math.MaxInt64:
		return 0, false
	default:
		return int64(n), true
	}
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
