package cassandra

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forebay/backend"
)

// version is a row of object_versions.
type version struct {
	name              string
	chunkBytes, bytes int64
	crc32c            int64
	touched, retired  time.Time // retired is zero for null
}

// book is what the loader notes of one object's versions. Every write of it is a compare-and-set:
//
//  1. A load is suspended for hours after its last chunk.
//  2. A sweep sees nothing written for AbandonedAfter and retires the version, if touched_at is what it saw; after the grace it
//     removes it.
//  3. The load goes on: its touch finds the row retired or gone, and it ends without having named the version in objects.
type book struct {
	loader        *Loader
	dataset, name string
}

func (b *book) key(version string) []any { return []any{b.dataset, b.name, version} }

const bookKey = ` WHERE dataset = ? AND name = ? AND version = ?`

// versions lists what is noted.
func (b *book) versions(ctx context.Context) (found []version, err error) {
	iter := b.loader.session.Query(`SELECT version, chunk_bytes, bytes, crc32c, touched_at, retired_at FROM `+b.loader.table("object_versions")+
		` WHERE dataset = ? AND name = ?`, b.dataset, b.name).IterContext(ctx)
	v := version{}
	for iter.Scan(&v.name, &v.chunkBytes, &v.bytes, &v.crc32c, &v.touched, &v.retired) {
		found = append(found, v)
		v = version{}
	}
	if err := iter.Close(); err != nil {
		return nil, fail("read versions", err)
	}
	return found, nil
}

// begin notes a version before its first chunk. Its name is nobody else's, so finding it there is our own retried insert.
func (b *book) begin(ctx context.Context, v version) error {
	_, err := b.loader.cas(ctx, "note version", `INSERT INTO `+b.loader.table("object_versions")+
		` (dataset, name, version, chunk_bytes, bytes, crc32c, touched_at) VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS`,
		append(b.key(v.name), v.chunkBytes, v.bytes, v.crc32c, v.touched)...)
	return err
}

// touch is a sign of life. It fails if the version was given up by a sweep.
func (b *book) touch(ctx context.Context, v version, now time.Time) error {
	ok, err := b.loader.cas(ctx, "touch version", `UPDATE `+b.loader.table("object_versions")+` SET touched_at = ?`+bookKey+
		` IF retired_at = null AND bytes = ?`, append(append([]any{now}, b.key(v.name)...), v.bytes)...)
	if err == nil && !ok {
		err = errors.New("it was taken for given up, as nothing was written of it for long: load it again")
	}
	return err
}

// retire begins the grace of a version. seen is touched_at as it was read, or nil for whatever it is now.
func (b *book) retire(ctx context.Context, name string, now time.Time, seen any) error {
	cql, args := `UPDATE `+b.loader.table("object_versions")+` SET retired_at = ?`+bookKey, append([]any{now}, b.key(name)...)
	if seen == nil {
		_, err := b.loader.cas(ctx, "retire version", cql+` IF EXISTS`, args...)
		return err
	}
	_, err := b.loader.cas(ctx, "retire version", cql+` IF touched_at = ?`, append(args, seen)...)
	return err
}

// remove deletes a version's chunks, then its row: if that is interrupted, the next sweep finds it again.
func (b *book) remove(ctx context.Context, v version) error {
	o := Object{Version: v.name, Chunks: chunkCount(v.bytes, v.chunkBytes)}
	for _, r := range o.Ranges() {
		err := b.loader.insist(ctx, "delete chunks of version "+v.name, `DELETE FROM `+b.loader.table("chunks")+bookKey, b.key(r.Version)...)
		if err != nil {
			return err
		}
	}
	_, err := b.loader.cas(ctx, "forget version "+v.name, `DELETE FROM `+b.loader.table("object_versions")+bookKey+` IF EXISTS`, b.key(v.name)...)
	return err
}

func chunkCount(bytes, chunkBytes int64) int64 {
	if chunkBytes < 1 {
		return 1
	}
	return (bytes + chunkBytes - 1) / chunkBytes
}

// cas runs a compare-and-set until it is answered, and tells whether it was applied. If an answer was lost, the one to the repetition tells of the
// state after the first: the callers' conditions are made for that.
func (l *Loader) cas(ctx context.Context, doing, cql string, args ...any) (applied bool, err error) {
	backoff := minBackoff
	for attempt := 1; ; attempt++ {
		applied, err = l.session.Query(cql, args...).MapScanCASContext(ctx, map[string]any{})
		if err == nil {
			return applied, nil
		}
		err = fail(doing, err)
		if ctx.Err() != nil || attempt == maxAttempts || errors.Is(err, backend.ErrSourceInvalid) {
			return false, err
		}
		if !sleep(ctx, backoff) {
			return false, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		backoff = min(2*backoff, maxBackoff)
	}
}
