package event

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// KindSet is a set of kinds. The empty set, as a filter, means all.
type KindSet uint32

// SetOf returns the set of kinds.
func SetOf(list ...Kind) KindSet {
	var s KindSet
	for _, k := range list {
		s |= 1 << k
	}
	return s
}

// Has tells whether k is in the set.
func (s KindSet) Has(k Kind) bool { return s&(1<<k) != 0 }

// Filter chooses events. Its zero value takes all. Gaps, checkpoints and ends pass only if their kind is asked for, or all are.
type Filter struct {
	Kinds   KindSet // empty: all
	Route   string  // exact; "": all
	Session string  // exact; "": all
	Prefix  string  // of the key; "": all, also events without a key
	Sample  int     // one key in so many, chosen by hash, the same keys in every process; 0 or 1: all
}

func (f *Filter) match(v *View) bool {
	if f.Kinds != 0 && !f.Kinds.Has(v.Kind) {
		return false
	}
	if f.Route != "" && string(v.Route) != f.Route {
		return false
	}
	if f.Session != "" && string(v.Session) != f.Session {
		return false
	}
	if f.Prefix != "" && (len(v.Key) < len(f.Prefix) || !bytes.HasPrefix(v.Key, []byte(f.Prefix))) {
		return false
	}
	// The high half of the hash: the low half decides the partition, and a sample must not be of one partition.
	return f.Sample <= 1 || len(v.Key) == 0 || (v.Hash>>32)%uint64(f.Sample) == 0
}

// ID names an event in the live stream. The zero ID names none.
type ID struct {
	Boot      int64
	Partition int
	Seq       int64
}

// Oldest is the ID to subscribe after for everything that the ring still holds.
func Oldest() ID { return ID{Boot: -1} }

// String returns the form that ParseID reads: boot-partition-seq.
func (id ID) String() string {
	return strconv.FormatInt(id.Boot, 10) + "-" + strconv.Itoa(id.Partition) + "-" + strconv.FormatInt(id.Seq, 10)
}

// ParseID reads what ID.String wrote.
func ParseID(s string) (ID, error) {
	parts := strings.Split(s, "-")
	if len(parts) != 3 {
		return ID{}, fmt.Errorf("parse event id %q: want boot-partition-seq", s)
	}
	var n [3]int64
	for i, part := range parts {
		var err error
		if n[i], err = strconv.ParseInt(part, 10, 64); err != nil || n[i] < 0 {
			return ID{}, fmt.Errorf("parse event id %q: %q is no number", s, part)
		}
	}
	return ID{Boot: n[0], Partition: int(n[1]), Seq: n[2]}, nil
}
