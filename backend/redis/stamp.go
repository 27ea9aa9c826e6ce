package redis

import (
	"context"
	"crypto/sha1" //nolint:gosec // Redis's scripts know no other digest; nothing secret depends on it
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"forebay/backend"
)

// stampPrefix begins the keys of stamps, each in the slot of its key: see stampscript.go.
const stampPrefix = hiddenPrefix + "stamp:"

// stampOf is where the stamp of a key is, by where its lease is.
func stampOf(lease string) string { return stampPrefix + lease[len(leasePrefix):] }

// ages counts the asks that want to know how old a value is.
func ages(asks []backend.Ask) (n int) {
	for i := range asks {
		if asks[i].Age {
			n++
		}
	}
	return n
}

// acquireBoth is Acquire of keys of both kinds, one round trip for each.
func (c *Client) acquireBoth(ctx context.Context, db int, life time.Duration, asks []backend.Ask) ([]backend.Grant, error) {
	grants := make([]backend.Grant, len(asks))
	for _, age := range []bool{false, true} {
		var part []backend.Ask
		var at []int
		for i := range asks {
			if asks[i].Age == age {
				part, at = append(part, asks[i]), append(at, i)
			}
		}
		got, err := c.Acquire(ctx, db, life, part)
		if err != nil {
			return nil, err
		}
		for n, i := range at {
			grants[i] = got[n]
		}
	}
	return grants, nil
}

// how is the scripts' name of what an ask wants.
func how(a *backend.Ask) byte {
	if a.Refresh {
		return "SHA"[a.As]
	}
	return "sha"[a.As]
}

// takesStamp tells whether an entry is for stampScript.
func takesStamp(e *backend.Entry) bool { return e.Stamp || e.Do == backend.RefreshValue }

// stampTerm adds what stampScript needs of an entry.
func (c *Client) stampTerm(t *term, e *backend.Entry) {
	lease := c.leaseKey(e.Key)
	t.stamps, t.stamp = true, lease
	if e.Stamp {
		t.stamp = stampOf(lease)
	}
	marks := e.Do == backend.MarkAbsent || e.Do == backend.CheckOnly
	if e.Seen != nil && (marks || e.Do == backend.RefreshValue) {
		t.seen = digestOf(e.Seen, e.Hash)
		if storing(e) && !e.Track {
			t.mark = "?" + string(markOf(e)) // what is refreshed stays what it was
		}
	}
}

const (
	digestFields = 512      // of a hash whose fields are digested; of a larger one they are counted
	digestHead   = 64 << 10 // bytes of a string over MaxInline that are digested
)

// digestOf is the digest that stampFunctions make of a value.
func digestOf(value []byte, hash bool) string {
	switch {
	case hash:
		return digestOfFields(value)
	case len(value) <= backend.MaxInline:
		return "s" + sha1Hex(value)
	default:
		return "l" + strconv.Itoa(len(value)) + ":" + sha1Hex(value[:digestHead])
	}
}

func digestOfFields(hash []byte) string {
	var sums []string
	backend.EachField(hash, func(name, value []byte) {
		field := append(strconv.AppendInt(nil, int64(len(name)), 10), ':')
		sums = append(sums, sha1Hex(append(append(field, name...), value...)))
	})
	if len(sums) > digestFields {
		return "n" + strconv.Itoa(len(sums))
	}
	slices.Sort(sums)
	var all []byte
	for _, s := range sums {
		all = append(all, s...)
	}
	return "h" + sha1Hex(all)
}

func sha1Hex(b []byte) string {
	sum := sha1.Sum(b) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}
