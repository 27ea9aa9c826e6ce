package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// pattern is keys that differ in whole numbers: "mnist:train:{0..59999}" is mnist:train:0 to mnist:train:59999, as a shell has it. Several ranges are
// every combination, the last changing fastest; {000..999} is of three digits each. Other braces stand for themselves.
type pattern struct {
	spans []span
	tail  string
}

// span is a range of a pattern, and what stands before it.
type span struct {
	before   string
	from, to int64
	width    int // digits at least, with zeros in front
}

// maxPattern is the most keys of one pattern: far above what a Redis holds.
const maxPattern = 1 << 40

// UnmarshalText reads one.
func (p *pattern) UnmarshalText(text []byte) error {
	rest, before := string(text), ""
	total := int64(1)
	for {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			p.tail = before + rest
			break
		}
		inside, after, closed := strings.Cut(rest[open+1:], "}")
		sp, ok := parseSpan(inside)
		if !closed || !ok {
			before, rest = before+rest[:open+1], rest[open+1:]
			continue
		}
		if sp.from > sp.to {
			return fmt.Errorf("{%s} begins above its end", inside)
		}
		if n := sp.to - sp.from + 1; n <= 0 || total > maxPattern/n {
			return fmt.Errorf("%q is more keys than %d", text, int64(maxPattern))
		} else {
			total *= n
		}
		sp.before = before + rest[:open]
		p.spans = append(p.spans, sp)
		before, rest = "", after
	}
	if len(p.spans) == 0 {
		return fmt.Errorf("%q has no range like {0..59999}", text)
	}
	return nil
}

// parseSpan reads what stands between braces; false: it is no range.
func parseSpan(text string) (sp span, ok bool) {
	first, last, ok := strings.Cut(text, "..")
	if !ok {
		return sp, false
	}
	var err1, err2 error
	sp.from, err1 = strconv.ParseInt(first, 10, 64)
	sp.to, err2 = strconv.ParseInt(last, 10, 64)
	padded := func(s string) bool {
		s = strings.TrimPrefix(s, "-")
		return len(s) > 1 && s[0] == '0'
	}
	if padded(first) || padded(last) {
		sp.width = max(len(first), len(last))
	}
	return sp, err1 == nil && err2 == nil && first[0] != '+' && last[0] != '+'
}

// each calls yield for every key, whose bytes are its own only until it returns.
func (p *pattern) each(yield func(key []byte) error) error {
	at := make([]int64, len(p.spans))
	for i := range p.spans {
		at[i] = p.spans[i].from
	}
	var key []byte
	for {
		key = key[:0]
		for i, sp := range p.spans {
			key = append(key, sp.before...)
			if sp.width > 0 {
				key = fmt.Appendf(key, "%0*d", sp.width, at[i])
			} else {
				key = strconv.AppendInt(key, at[i], 10)
			}
		}
		if err := yield(append(key, p.tail...)); err != nil {
			return err
		}
		i := len(at) - 1
		for ; i >= 0 && at[i] == p.spans[i].to; i-- {
			at[i] = p.spans[i].from
		}
		if i < 0 {
			return nil
		}
		at[i]++
	}
}

const (
	maxKey     = 1 << 20  // bytes of a line of a file of keys
	batchKeys  = 256      // of one command: PREFETCH answers well within a client's patience
	batchBytes = 64 << 10 // of them, or one longer key
)

// keyList is what is to be warmed, in an order that does not change: it is gone through to count, to load and to verify, and never held as a whole.
type keyList struct {
	keys     []string
	patterns []pattern
	file     string // "": none
}

// each calls yield for every key, whose bytes are its own only until it returns.
func (l *keyList) each(yield func(key []byte) error) error {
	for _, k := range l.keys {
		if err := yield([]byte(k)); err != nil {
			return err
		}
	}
	for i := range l.patterns {
		if err := l.patterns[i].each(yield); err != nil {
			return err
		}
	}
	if l.file == "" {
		return nil
	}
	return l.eachLine(yield)
}

// eachLine goes through the file: a key a line, which ends in LF or CRLF. Empty lines are none.
func (l *keyList) eachLine(yield func(key []byte) error) error {
	f, err := os.Open(l.file)
	if err != nil {
		return fmt.Errorf("--file: %w", err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, maxKey)
	for n := 1; ; n++ {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("--file: %s: line %d is longer than %d bytes", l.file, n, maxKey)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("--file: %w", err)
		}
		if key := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")); len(key) > 0 {
			if err := yield(key); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// count is how many keys there are.
func (l *keyList) count() (n int, err error) {
	err = l.each(func([]byte) error { n++; return nil })
	return n, err
}

// batches calls yield with several keys at a time, which are its own.
func (l *keyList) batches(yield func(batch [][]byte) error) error {
	var batch [][]byte
	var arena []byte
	flush := func() error {
		b := batch
		batch, arena = nil, nil
		return yield(b)
	}
	err := l.each(func(key []byte) error {
		if len(batch) == batchKeys || len(batch) > 0 && len(arena)+len(key) > batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		from := len(arena)
		arena = append(arena, key...)
		batch = append(batch, arena[from:len(arena):len(arena)])
		return nil
	})
	if err == nil && len(batch) > 0 {
		err = flush()
	}
	return err
}
