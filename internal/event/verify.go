package event

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
)

// Verifier reads the lines of a topic or file, in any order of partitions and with repeats, and tells whether all are there. The rules are in the package
// comment. It keeps ranges of seqs, not events: its memory does not grow with a complete stream. It belongs to one goroutine.
type Verifier struct {
	streams map[streamName]*stream
}

type streamName struct {
	proxy     string
	boot      int64
	partition int
}

// stream is what was seen of one (proxy, boot, partition).
type stream struct {
	seen ranges // seqs of lines
	gaps ranges // seqs that gaps stand for
	dups int64
	end  int64 // seq of the end, 0: none seen

	checkpoints int64
}

// Range is seqs from First to Last, both included.
type Range struct{ First, Last int64 }

// Stream is the verdict on one (proxy, boot, partition).
type Stream struct {
	Proxy       string
	Boot        int64
	Partition   int
	Lines       int64   // distinct lines that are no "dropped" gap
	Duplicates  int64   // lines read again
	Lost        int64   // events that gaps stand for and that did not arrive after all
	Gaps        []Range // where they are
	Missing     []Range // seqs that nothing accounts for; from 1, if the topic no longer holds the beginning
	Checkpoints int64   // distinct ones
	Last        int64   // highest seq accounted for
	Ended       bool    // its end was seen and nothing after it; if not, what came after Last cannot be known
	AfterEnd    bool    // lines after the end: two processes used one name and boot
}

// Report is the verdict on everything read.
type Report struct {
	Streams []Stream // by proxy, boot and partition
	Lines, Duplicates, Lost, Missing,
	Open int64 // Open: streams without an end
}

// Complete tells whether everything up to the last line of each stream is accounted for, by a line or a gap.
func (r *Report) Complete() bool {
	return r.Missing == 0 && !slices.ContainsFunc(r.Streams, func(s Stream) bool { return s.AfterEnd })
}

// Verify reads lines with the partition of each and reports. It stops at the first line that is no event.
func Verify(lines iter.Seq2[int, []byte]) (Report, error) {
	var v Verifier
	for partition, line := range lines {
		if err := v.Add(partition, line); err != nil {
			return v.Report(), err
		}
	}
	return v.Report(), nil
}

// Add takes one line. partition is that of its record ("partition" header, else where it was read); a "partition" field in the line, as
// files have it, overrules it. The error says why the line is no event; the verifier is as before then.
func (v *Verifier) Add(partition int, line []byte) error {
	l := struct {
		Proxy     string `json:"proxy"`
		Boot      int64  `json:"boot"`
		Seq       int64  `json:"seq"`
		Kind      string `json:"kind"`
		Reason    string `json:"reason"`
		Count     int64  `json:"count"`
		Partition *int   `json:"partition"`
	}{}
	if err := json.Unmarshal(line, &l); err != nil {
		return fmt.Errorf("read event line: %w", err)
	}
	dropped := l.Kind == Gap.String() && l.Reason == Dropped.String()
	if l.Seq < 1 || l.Kind == "" || dropped && l.Count < 1 {
		return fmt.Errorf("read event line: no seq, kind or count in %.80q", line)
	}
	if l.Partition != nil {
		partition = *l.Partition
	}
	s := v.stream(streamName{l.Proxy, l.Boot, partition})
	switch {
	case dropped:
		s.gaps.add(Range{l.Seq, l.Seq + l.Count - 1})
		return nil
	case l.Kind == End.String():
		s.end = l.Seq
	}
	again := s.seen.add(Range{l.Seq, l.Seq})
	s.dups += again
	if l.Kind == Checkpoint.String() {
		s.checkpoints += 1 - again
	}
	return nil
}

func (v *Verifier) stream(name streamName) *stream {
	s, ok := v.streams[name]
	if !ok {
		if v.streams == nil {
			v.streams = make(map[streamName]*stream)
		}
		s = &stream{}
		v.streams[name] = s
	}
	return s
}

// Report says what the lines added so far amount to.
func (v *Verifier) Report() Report {
	var r Report
	for name, s := range v.streams {
		st := s.judge(name)
		r.Streams = append(r.Streams, st)
		r.Lines += st.Lines
		r.Duplicates += st.Duplicates
		r.Lost += st.Lost
		for _, m := range st.Missing {
			r.Missing += m.Last - m.First + 1
		}
		if !st.Ended {
			r.Open++
		}
	}
	slices.SortFunc(r.Streams, func(a, b Stream) int {
		return cmp.Or(cmp.Compare(a.Proxy, b.Proxy), cmp.Compare(a.Boot, b.Boot), cmp.Compare(a.Partition, b.Partition))
	})
	return r
}

func (s *stream) judge(name streamName) Stream {
	st := Stream{Proxy: name.proxy, Boot: name.boot, Partition: name.partition, Duplicates: s.dups, Lines: s.seen.sum(), Checkpoints: s.checkpoints}
	all := slices.Clone(s.seen)
	for _, g := range s.gaps {
		st.Gaps = append(st.Gaps, s.seen.holes(g)...)
		all.add(g)
	}
	st.Lost = ranges(st.Gaps).sum()
	if len(all) > 0 {
		st.Last = all[len(all)-1].Last
		st.Missing = all.holes(Range{1, st.Last})
	}
	st.AfterEnd = s.end > 0 && st.Last > s.end
	st.Ended = s.end > 0 && !st.AfterEnd
	return st
}

// ranges is a set of seqs: sorted, and neither overlapping nor touching.
type ranges []Range

// add adds r's seqs and returns how many of them were there already.
func (rs *ranges) add(r Range) (already int64) {
	// All before i end before r begins, with a seq between: they stay. All from j on begin after r ends.
	i, _ := slices.BinarySearchFunc(*rs, r.First-1, func(a Range, first int64) int { return cmp.Compare(a.Last, first) })
	j := i
	joined := r
	for ; j < len(*rs) && (*rs)[j].First <= r.Last+1; j++ {
		have := (*rs)[j]
		already += max(0, min(have.Last, r.Last)-max(have.First, r.First)+1)
		joined.First, joined.Last = min(joined.First, have.First), max(joined.Last, have.Last)
	}
	*rs = slices.Replace(*rs, i, j, joined)
	return already
}

// holes returns the parts of r that are not in the set.
func (rs ranges) holes(r Range) (out []Range) {
	i, _ := slices.BinarySearchFunc(rs, r.First, func(a Range, first int64) int { return cmp.Compare(a.Last, first) })
	for ; i < len(rs) && rs[i].First <= r.Last; i++ {
		if rs[i].First > r.First {
			out = append(out, Range{r.First, rs[i].First - 1})
		}
		r.First = rs[i].Last + 1
	}
	if r.First <= r.Last {
		out = append(out, r)
	}
	return out
}

// sum is how many seqs the set has.
func (rs ranges) sum() (n int64) {
	for _, r := range rs {
		n += r.Last - r.First + 1
	}
	return n
}
