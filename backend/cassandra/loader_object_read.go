package cassandra

import (
	"context"
	"errors"
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// LookupObject reads an object's row; found is false if no version of it was ever whole.
func (l *Loader) LookupObject(ctx context.Context, dataset, name string) (o Object, found bool, err error) {
	err = l.session.Query(`SELECT version, chunks, bytes, crc32c FROM `+l.table("objects")+` WHERE dataset = ? AND name = ?`,
		dataset, name).ScanContext(ctx, &o.Version, &o.Chunks, &o.Bytes, &o.CRC32C)
	if errors.Is(err, gocql.ErrNotFound) {
		return Object{}, false, nil
	}
	if err != nil {
		return Object{}, false, fail("look up object "+dataset+"/"+name, err)
	}
	return o, o.Version != "", nil
}

// VerifyObject reads an object back and checks its chunks and bytes, their count and the checksum. What is wrong wraps ErrDamaged.
func (l *Loader) VerifyObject(ctx context.Context, dataset, name string) (Object, error) {
	return l.ReadObject(ctx, dataset, name, func([]byte) error { return nil })
}

// ReadObject calls each for the object's chunks in order, and says at the end whether they were the whole. What each was given counts for
// nothing if there is an error. data is borrowed until each returns.
func (l *Loader) ReadObject(ctx context.Context, dataset, name string, each func(data []byte) error) (Object, error) {
	doing := "read object " + dataset + "/" + name
	o, found, err := l.LookupObject(ctx, dataset, name)
	if err == nil && !found {
		err = fmt.Errorf("%w: there is none", ErrDamaged)
	}
	if err != nil {
		return Object{}, fmt.Errorf("%s: %w", doing, err)
	}
	done := tally{tell: l.options.Progress, progress: Progress{Total: int(o.Chunks)}}
	assembly := o.Assembly()
	page := max(verifyPage/max(o.Bytes/max(o.Chunks, 1), 1), 1)
	for _, r := range o.Ranges() {
		err := l.chunks(ctx, dataset, name, r, int(page), func(chunk int64, data []byte) error {
			if err := assembly.Add(chunk, data); err != nil {
				return err
			}
			done.add(len(data), false)
			return each(data)
		})
		if err != nil {
			return Object{}, fmt.Errorf("%s: %w", doing, err)
		}
	}
	if err := assembly.End(); err != nil {
		return Object{}, fmt.Errorf("%s: %w", doing, err)
	}
	return o, nil
}

// chunks reads those of one partition in order.
func (l *Loader) chunks(ctx context.Context, dataset, name string, r ChunkRange, page int,
	each func(chunk int64, data []byte) error,
) error {
	iter := l.session.Query(`SELECT chunk, data FROM `+l.table("chunks")+
		` WHERE dataset = ? AND name = ? AND version = ? AND chunk >= ? AND chunk < ?`,
		dataset, name, r.Version, r.From, r.To).PageSize(page).IterContext(ctx)
	var chunk int64
	var data []byte
	for iter.Scan(&chunk, &data) {
		if err := each(chunk, data); err != nil {
			return errors.Join(err, iter.Close())
		}
	}
	if err := iter.Close(); err != nil {
		return fail(fmt.Sprintf("read chunks %d to %d", r.From, r.To-1), err)
	}
	return nil
}
