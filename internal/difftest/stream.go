package difftest

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
)

// Step is one command of a client, or a barrier.
type Step struct {
	Client int
	Words  []string // of a command in RESP; empty: Raw is sent as it is
	Raw    string   // an inline command, or bytes that are none
	Hidden bool     // its reply is not compared
	Sync   bool     // a barrier: every reply to what stands before it is read before anything behind it is sent
}

// Stream is what a test plays to a server.
type Stream struct {
	Seed  uint64 // of where the bytes are cut
	Rows  string // what the routed keys are: "" for none, "present" or "absent" from the cache; for the test that plays it
	Steps []Step
}

// Clients is the number of clients that the stream needs.
func (s *Stream) Clients() int {
	n := 1
	for i := range s.Steps {
		n = max(n, s.Steps[i].Client+1)
	}
	return n
}

// String is the stream as text: the seed, then a step a line: "-" for a barrier, else the client's number, "~" if it is hidden, and the words,
// quoted where they must be; "!" stands before raw bytes.
func (s *Stream) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\n", s.Seed)
	if s.Rows != "" {
		fmt.Fprintf(&b, "rows %s\n", s.Rows)
	}
	for _, st := range s.Steps {
		b.WriteString(st.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// String is the step's line.
func (st Step) String() string {
	if st.Sync {
		return "-"
	}
	var b strings.Builder
	b.WriteString(strconv.Itoa(st.Client))
	if st.Hidden {
		b.WriteString(" ~")
	}
	if len(st.Words) == 0 {
		return b.String() + " ! " + strconv.Quote(st.Raw)
	}
	for _, w := range st.Words {
		b.WriteByte(' ')
		b.WriteString(quote(w))
	}
	return b.String()
}

func quote(w string) string {
	q := strconv.Quote(w)
	if len(q) == len(w)+2 && w != "" && !strings.ContainsAny(w, " ~!#`") {
		return w
	}
	return q
}

// Parse reads what String wrote. Empty lines and those that begin with # are for readers.
func Parse(text string) (*Stream, error) {
	s := &Stream{}
	sc := bufio.NewScanner(strings.NewReader(text))
	sc.Buffer(nil, 16<<20)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := s.parseLine(line); err != nil {
			return nil, fmt.Errorf("read stream: line %d: %w", n, err)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read stream: %w", err)
	}
	return s, nil
}

func (s *Stream) parseLine(line string) error {
	first, rest, _ := strings.Cut(line, " ")
	var err error
	switch first {
	case "seed":
		s.Seed, err = strconv.ParseUint(rest, 10, 64)
		return err
	case "rows":
		s.Rows = rest
		return nil
	case "-":
		s.Steps = append(s.Steps, Step{Sync: true})
		return nil
	}
	var st Step
	if st.Client, err = strconv.Atoi(first); err != nil || st.Client < 0 {
		return fmt.Errorf("client %q: want a number", first)
	}
	if after, ok := strings.CutPrefix(rest, "~ "); ok {
		st.Hidden, rest = true, after
	}
	if after, ok := strings.CutPrefix(rest, "! "); ok {
		st.Raw, err = strconv.Unquote(after)
		s.Steps = append(s.Steps, st)
		return err
	}
	for rest != "" {
		var w string
		if rest[0] == '"' {
			q, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return err
			}
			if w, err = strconv.Unquote(q); err != nil {
				return err
			}
			rest = strings.TrimPrefix(rest[len(q):], " ")
		} else {
			w, rest, _ = strings.Cut(rest, " ")
		}
		st.Words = append(st.Words, w)
	}
	if len(st.Words) == 0 {
		return fmt.Errorf("a step without words: %q", line)
	}
	s.Steps = append(s.Steps, st)
	return nil
}

// bytes is what the step sends.
func (st *Step) bytes(b []byte) []byte {
	if len(st.Words) == 0 {
		return append(b, st.Raw...)
	}
	b = fmt.Appendf(b, "*%d\r\n", len(st.Words))
	for _, w := range st.Words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b
}

// name is the command's name in lower case, empty for raw bytes.
func (st *Step) name() string {
	if len(st.Words) == 0 {
		return ""
	}
	return strings.ToLower(st.Words[0])
}
