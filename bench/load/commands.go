package load

import (
	"math/rand/v2"
	"strconv"

	"github.com/tidwall/redcon"
)

// commands makes a loop's commands.
type commands struct {
	o     Options
	pick  picker
	mix   *rand.Rand
	value []byte
	key   []byte // the last one made
}

// fill makes a connection's next batch.
func (m *commands) fill(c *conn) {
	c.buffer, c.expect, c.next = c.buffer[:0], c.expect[:0], 0
	for range m.o.Depth {
		if m.o.Sets > 0 && (m.o.Sets == 1 || m.mix.Float64() < m.o.Sets) {
			c.buffer = m.appendSet(c.buffer)
			c.expect = append(c.expect, reply{'+', len("+OK\r\n")})
			continue
		}
		c.buffer = m.appendRead(c.buffer)
		c.expect = append(c.expect, m.read())
	}
	c.out = c.buffer
}

func (m *commands) appendSet(b []byte) []byte {
	b = redcon.AppendArray(b, 3)
	b = redcon.AppendBulkString(b, "SET")
	b = redcon.AppendBulk(b, m.nextKey())
	return redcon.AppendBulk(b, m.value)
}

func (m *commands) appendRead(b []byte) []byte {
	name := "GET"
	if m.o.Width > 1 {
		name = "MGET"
	}
	b = redcon.AppendArray(b, 1+m.o.Width)
	b = redcon.AppendBulkString(b, name)
	for range m.o.Width {
		b = redcon.AppendBulk(b, m.nextKey())
	}
	return b
}

func (m *commands) nextKey() []byte {
	m.key = append(m.key[:0], m.o.Keys.Prefix...)
	m.key = strconv.AppendInt(m.key, int64(m.o.Keys.First+m.pick()), 10)
	return m.key
}

// read is the reply to a read whose keys are all there.
func (m *commands) read() reply {
	value := header(m.o.Bytes) + m.o.Bytes + 2
	if m.o.Width == 1 {
		return reply{'$', value}
	}
	return reply{'*', header(m.o.Width) + m.o.Width*value}
}

// header is the length of a header line that says n.
func header(n int) int { return len(strconv.Itoa(n)) + 3 }
