package event

import (
	"encoding/base64"
	"strconv"
	"time"
	"unicode/utf8"
)

// encoder writes records as JSON lines. It holds what lines have in common: it belongs to one goroutine.
type encoder struct {
	boot   int64
	prefix []byte // up to the seq
	second int64  // the Unix second that stamp is of
	stamp  []byte // "2006-01-02T15:04:05."
}

// begin sets what the lines from here on begin with.
func (e *encoder) begin(proxy string, boot int64) {
	e.boot = boot
	e.prefix = appendQuoted(append(e.prefix[:0], `{"v":1,"proxy":`...), []byte(proxy))
	e.prefix = append(e.prefix, `,"boot":`...)
	e.prefix = strconv.AppendInt(e.prefix, boot, 10)
	e.prefix = append(e.prefix, `,"seq":`...)
}

// appendLine appends v as a line of the contract. A seq of 0 is left out, with the boot's prefix kept. Fields without meaning for the event are
// absent; bytes of a hit, load or fill, rows of a load, and db beside a key are written even if 0.
func (e *encoder) appendLine(b []byte, v *View, seq int64) []byte {
	if seq > 0 {
		b = append(b, e.prefix...)
		b = strconv.AppendInt(b, seq, 10)
	} else {
		b = append(b, e.prefix[:len(e.prefix)-len(`,"seq":`)]...)
	}
	b = append(b, `,"time":"`...)
	b = e.appendTime(b, v.Time)
	b = append(b, `","kind":"`...)
	b = append(b, v.Kind.String()...)
	b = append(b, '"')
	if len(v.Key) > 0 {
		b = appendKey(b, v)
	}
	b = appendBytes(b, `,"route":`, v.Route)
	b = appendBytes(b, `,"session":`, v.Session)
	b = appendName(b, `,"origin":"`, v.Origin.String())
	b = appendName(b, `,"result":"`, v.Result.String())
	if v.Bytes != 0 || v.Kind == Hit || v.Kind == Load || v.Kind == Fill {
		b = appendInt(b, `,"bytes":`, v.Bytes)
	}
	if v.Duration > 0 {
		b = appendInt(b, `,"duration_us":`, int64((v.Duration+500)/time.Microsecond))
	}
	b = appendName(b, `,"reason":"`, v.Reason.String())
	if v.Rows != 0 || v.Kind == Load {
		b = appendInt(b, `,"rows":`, int64(v.Rows))
	}
	if v.Count != 0 {
		b = appendInt(b, `,"count":`, v.Count)
	}
	b = appendBytes(b, `,"error":`, v.Error)
	b = appendBytes(b, `,"by":`, v.By)
	b = appendBytes(b, `,"text":`, v.Text)
	return append(b, '}', '\n')
}

// AppendGap appends the line that stands for the seqs gap.First to gap.First+gap.Count-1, lost by the one named.
func AppendGap(b []byte, gap Batch, by string, at time.Time) []byte {
	var e encoder
	e.begin(gap.Proxy, gap.Boot)
	v := View{Kind: Gap, Reason: Dropped, Count: gap.Count, By: []byte(by), Time: at.UnixMicro()}
	return e.appendLine(b, &v, gap.First)
}

// appendTime appends RFC 3339, UTC, with microseconds. us is in Unix microseconds.
func (e *encoder) appendTime(b []byte, us int64) []byte {
	second := us / 1e6
	micro := us % 1e6
	if micro < 0 {
		second, micro = second-1, micro+1e6
	}
	if second != e.second || len(e.stamp) == 0 {
		e.second = second
		e.stamp = time.Unix(second, 0).UTC().AppendFormat(e.stamp[:0], "2006-01-02T15:04:05.")
	}
	b = append(b, e.stamp...)
	return append(b, byte('0'+micro/100000), byte('0'+micro/10000%10), byte('0'+micro/1000%10),
		byte('0'+micro/100%10), byte('0'+micro/10%10), byte('0'+micro%10), 'Z')
}

// appendKey appends the key as text, or in base64 where it is none, and its whole length where it is cut.
func appendKey(b []byte, v *View) []byte {
	if utf8.Valid(v.Key) {
		b = append(b, `,"key":`...)
		b = appendQuoted(b, v.Key)
	} else {
		b = append(b, `,"key_b64":"`...)
		b = base64.StdEncoding.AppendEncode(b, v.Key)
		b = append(b, '"')
	}
	if v.KeyLen > len(v.Key) {
		b = appendInt(b, `,"key_len":`, int64(v.KeyLen))
	}
	return appendInt(b, `,"db":`, int64(v.DB))
}

func appendInt(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(append(b, name...), n, 10)
}

// appendName appends a field whose text is one of ours, or nothing for "". name ends in the opening quote.
func appendName(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	b = append(b, name...)
	b = append(b, text...)
	return append(b, '"')
}

func appendBytes(b []byte, name string, text []byte) []byte {
	if len(text) == 0 {
		return b
	}
	return appendQuoted(append(b, name...), text)
}

// appendQuoted appends text as a JSON string; what is not UTF-8 in it becomes U+FFFD.
func appendQuoted(b, text []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(text[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			b = append(b, text[start:i]...)
			b = append(b, "\ufffd"...)
		} else {
			b = append(b, text[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			default:
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
		}
		i++
		start = i
	}
	b = append(b, text[start:]...)
	return append(b, '"')
}
