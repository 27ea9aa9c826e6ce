package cassandra

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Swept says what a sweep did.
type Swept struct {
	Objects   int   // looked at
	Retired   int   // versions whose grace begins now: given up, or replaced by a load that was interrupted just then
	Removed   int   // versions
	Bytes     int64 // of those, as they were noted
	Waiting   int   // versions whose grace is not over
	Unsettled int   // versions that may still be written
}

// Sweep removes the chunks of versions that no object names any more, of all objects of the keyspace or, where these are not empty, of one
// dataset or one name. A version goes when it has been retired for the grace (zero: DefaultGrace): when another took its place, or when nothing was
// written of it for AbandonedAfter. The version that an object names is never touched.
func (l *Loader) Sweep(ctx context.Context, dataset, name string, grace time.Duration) (Swept, error) {
	o, err := ObjectOptions{Grace: grace}.withDefaults()
	if err != nil {
		return Swept{}, fmt.Errorf("sweep: %w", err)
	}
	iter := l.session.Query(`SELECT DISTINCT dataset, name FROM ` + l.table("object_versions")).PageSize(1000).IterContext(ctx)
	var total Swept
	var errs []error
	b := book{loader: l}
	for iter.Scan(&b.dataset, &b.name) {
		if dataset != "" && b.dataset != dataset || name != "" && b.name != name {
			continue
		}
		swept, err := l.sweep(ctx, b, o.Grace)
		if err != nil {
			errs = append(errs, fmt.Errorf("sweep %s/%s: %w", b.dataset, b.name, err))
			break
		}
		total.add(swept)
	}
	if err := iter.Close(); err != nil {
		errs = append(errs, fail("sweep", err))
	}
	return total, errors.Join(errs...)
}

func (s *Swept) add(o Swept) {
	s.Objects += o.Objects
	s.Retired += o.Retired
	s.Removed += o.Removed
	s.Bytes += o.Bytes
	s.Waiting += o.Waiting
	s.Unsettled += o.Unsettled
}

// sweep looks at the versions of one object. The named version is read again after the versions: one that was named in between is left
// alone, and one that was named before and is not any more cannot be named again.
func (l *Loader) sweep(ctx context.Context, b book, grace time.Duration) (Swept, error) {
	s := Swept{Objects: 1}
	versions, err := b.versions(ctx)
	if err != nil {
		return s, err
	}
	named, _, err := l.LookupObject(ctx, b.dataset, b.name)
	if err != nil {
		return s, err
	}
	at := now()
	for _, v := range versions {
		switch {
		case v.name == named.Version:
		case v.retired.IsZero() && at.Sub(v.touched) < AbandonedAfter:
			s.Unsettled++
		case v.retired.IsZero():
			s.Retired++
			err = b.retire(ctx, v.name, at, v.touched)
		case at.Sub(v.retired) < grace:
			s.Waiting++
		default:
			s.Removed++
			s.Bytes += v.bytes
			err = b.remove(ctx, v)
		}
		if err != nil {
			return s, err
		}
	}
	return s, nil
}
