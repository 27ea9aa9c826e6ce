package event

import (
	"encoding/binary"
	"time"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
)

// A record is an Event as bytes: a header of fixed width, then the strings. It holds everything but the seq, which only the pump
// can give. The layout, little-endian (it never leaves the process):
//
//	0 length u32 | 4 kind | 5 origin | 6 result | 7 reason | 8 time, Unix µs i64 | 16 hash u64 | 24 bytes i64 |
//	32 duration, ns i64 | 40 count i64 | 48 rows u32 | 52 db u32 | 56 whole key's length u32 |
//	60 key u16 | 62 text u16 | 64 error u16 | 66 route u16 | 68 session u16 | 70 by u16 | 72 strings in that order
const recordHeader = 72

// View is one record, decoded. Its slices point into the pipeline's buffers: they are valid only until whoever was given
// the View returns.
type View struct {
	Kind     Kind
	Origin   Origin
	Result   Result
	Reason   Reason
	DB       int
	Rows     int
	KeyLen   int   // of the whole key; Key may be cut
	Time     int64 // Unix microseconds
	Hash     uint64
	Bytes    int64
	Duration time.Duration
	Count    int64
	Key      []byte
	Text     []byte
	Error    []byte
	Route    []byte
	Session  []byte
	By       []byte
}

// hashOf is the hash that decides the partition: of the key, else of the session.
func hashOf(key []byte, session string) uint64 {
	if len(key) > 0 {
		return xxhash.Sum64(key)
	}
	return xxhash.Sum64String(session)
}

// PartitionOf returns the partition, of n, of events that concern key.
func PartitionOf(key []byte, n int) int {
	return int(xxhash.Sum64(key) % uint64(n))
}

// appendRecord appends ev to b. session stands for ev.Session. now is asked only if ev has no time of its own.
func appendRecord(b []byte, ev *Event, session string, hash uint64, now func() time.Time) []byte {
	at := ev.Time
	if at.IsZero() {
		at = now()
	}
	key := cutKey(ev.Key)
	text, errText := cut(ev.Text, MaxText), cut(ev.Error, MaxError)
	route, by := cut(ev.Route, MaxName), cut(ev.By, MaxName)

	var h [recordHeader]byte
	le := binary.LittleEndian
	le.PutUint32(h[0:], uint32(recordHeader+len(key)+len(text)+len(errText)+len(route)+len(session)+len(by)))
	h[4], h[5], h[6], h[7] = byte(ev.Kind), byte(ev.Origin), byte(ev.Result), byte(ev.Reason)
	le.PutUint64(h[8:], uint64(at.UnixMicro()))
	le.PutUint64(h[16:], hash)
	le.PutUint64(h[24:], uint64(ev.Bytes))
	le.PutUint64(h[32:], uint64(ev.Duration))
	le.PutUint64(h[40:], uint64(ev.Count))
	le.PutUint32(h[48:], uint32(ev.Rows))
	le.PutUint32(h[52:], uint32(ev.DB))
	le.PutUint32(h[56:], uint32(len(ev.Key)))
	le.PutUint16(h[60:], uint16(len(key)))
	le.PutUint16(h[62:], uint16(len(text)))
	le.PutUint16(h[64:], uint16(len(errText)))
	le.PutUint16(h[66:], uint16(len(route)))
	le.PutUint16(h[68:], uint16(len(session)))
	le.PutUint16(h[70:], uint16(len(by)))
	b = append(b, h[:]...)
	b = append(b, key...)
	b = append(b, text...)
	b = append(b, errText...)
	b = append(b, route...)
	b = append(b, session...)
	return append(b, by...)
}

// recordSize is the length of the record that b begins with.
func recordSize(b []byte) int { return int(binary.LittleEndian.Uint32(b)) }

// recordHash is the hash of the record that b begins with.
func recordHash(b []byte) uint64 { return binary.LittleEndian.Uint64(b[16:]) }

// decode sets v to the record rec (exactly one). v's slices point into rec.
func (v *View) decode(rec []byte) {
	le := binary.LittleEndian
	_ = rec[recordHeader-1]
	v.Kind, v.Origin, v.Result, v.Reason = Kind(rec[4]), Origin(rec[5]), Result(rec[6]), Reason(rec[7])
	v.Time = int64(le.Uint64(rec[8:]))
	v.Hash = le.Uint64(rec[16:])
	v.Bytes = int64(le.Uint64(rec[24:]))
	v.Duration = time.Duration(le.Uint64(rec[32:]))
	v.Count = int64(le.Uint64(rec[40:]))
	v.Rows = int(int32(le.Uint32(rec[48:])))
	v.DB = int(int32(le.Uint32(rec[52:])))
	v.KeyLen = int(le.Uint32(rec[56:]))
	rest := rec[recordHeader:]
	next := func(at int) []byte {
		n := int(le.Uint16(rec[at:]))
		s := rest[:n:n]
		rest = rest[n:]
		return s
	}
	v.Key, v.Text, v.Error = next(60), next(62), next(64)
	v.Route, v.Session, v.By = next(66), next(68), next(70)
}

// cutKey cuts a key to MaxKey bytes, at the start of a rune where it is text.
func cutKey(key []byte) []byte {
	if len(key) <= MaxKey {
		return key
	}
	n := MaxKey
	for back := 0; back < utf8.UTFMax-1 && !utf8.RuneStart(key[n]); back++ {
		n--
	}
	if !utf8.RuneStart(key[n]) {
		n = MaxKey
	}
	return key[:n]
}

// cut cuts s to limit bytes.
func cut(s string, limit int) string {
	if len(s) > limit {
		return s[:limit]
	}
	return s
}
