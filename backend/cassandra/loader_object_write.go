package cassandra

import (
	"context"
	"crypto/rand"
	"fmt"
	"hash/crc32"
	"strings"
	"time"
)

// Content is the bytes of an object. Each may be called more than once, and calls yield for every piece of chunkBytes in order, from 0; the
// last may be shorter. data is borrowed until yield returns.
type Content interface {
	Bytes() int64
	Each(ctx context.Context, chunkBytes int, yield func(chunk int64, data []byte) error) error
}

// ObjectOptions say how an object is stored. The zero value is usable.
type ObjectOptions struct {
	// ChunkBytes is how many bytes a chunk has, MinChunkBytes to MaxChunkBytes. Zero: DefaultChunkBytes.
	ChunkBytes int
	// Grace is how long the chunks of former versions stay. Zero: DefaultGrace.
	Grace time.Duration
}

func (o ObjectOptions) withDefaults() (ObjectOptions, error) {
	if o.ChunkBytes == 0 {
		o.ChunkBytes = DefaultChunkBytes
	}
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	if o.ChunkBytes < MinChunkBytes || o.ChunkBytes > MaxChunkBytes {
		return o, fmt.Errorf("chunk bytes: %d is not %d to %d", o.ChunkBytes, MinChunkBytes, MaxChunkBytes)
	}
	if o.Grace < 0 {
		return o, fmt.Errorf("grace: %v is below zero", o.Grace)
	}
	return o, nil
}

// LoadObject stores an object in place of the one there is, which readers have until the new one is whole:
//
//  1. The content is read for its checksum. With Resume, an object that is stored with these bytes is left alone, and an unfinished
//     version with them is gone on with: its chunks are compared, and those that differ or lack are written.
//  2. The version is noted in object_versions; its chunks are written, in parallel and in no order.
//  3. objects names the version, if the former one is still what was read: of two loads at once, both are named one after the other, and none
//     is forgotten.
//  4. The former version is retired, and those whose grace is over are removed (see Sweep).
//
// After an interruption before 3, readers have the former version; between 3 and 4, the next sweep retires it.
func (l *Loader) LoadObject(ctx context.Context, dataset, name string, content Content, o ObjectOptions) (Object, error) {
	doing := "load object " + dataset + "/" + name
	o, err := o.withDefaults()
	if err == nil && (dataset == "" || name == "") {
		err = fmt.Errorf("a dataset and an object are named by at least one letter")
	}
	if err == nil && content.Bytes() == 0 {
		err = fmt.Errorf("there are no bytes")
	}
	if err != nil {
		return Object{}, fmt.Errorf("%s: %w", doing, err)
	}
	w := &objectWriter{loader: l, book: book{l, dataset, name}, content: content, options: o}
	w.done.tell = l.options.Progress
	stored, err := w.load(ctx)
	if err != nil {
		return Object{}, fmt.Errorf("%s: %w", doing, err)
	}
	return stored, nil
}

// objectWriter writes one version.
type objectWriter struct {
	loader  *Loader
	book    book
	content Content
	options ObjectOptions
	object  Object
	noted   version
	done    tally
}

func (w *objectWriter) load(ctx context.Context) (Object, error) {
	for _, def := range objectTables() {
		if err := w.loader.createTable(ctx, def); err != nil {
			return Object{}, err
		}
	}
	sum, err := w.checksum(ctx)
	if err != nil {
		return Object{}, err
	}
	w.object = Object{Chunks: chunkCount(w.content.Bytes(), int64(w.options.ChunkBytes)), Bytes: w.content.Bytes(), CRC32C: int64(sum)}
	w.done.progress.Total = int(w.object.Chunks)
	former, found, err := w.loader.LookupObject(ctx, w.book.dataset, w.book.name)
	if err != nil {
		return Object{}, err
	}
	if w.loader.options.Resume && found && former.Bytes == w.object.Bytes && former.CRC32C == w.object.CRC32C {
		w.done.all(former.Bytes)
		return former, nil
	}
	if err := w.begin(ctx, former.Version); err != nil {
		return Object{}, err
	}
	if err := w.write(ctx); err != nil {
		return Object{}, err
	}
	if err := w.book.touch(ctx, w.noted, now()); err != nil {
		return Object{}, err
	}
	if err := w.publish(ctx, former.Version); err != nil {
		return Object{}, err
	}
	_, err = w.loader.sweep(ctx, w.book, w.options.Grace)
	return w.object, err
}

func (w *objectWriter) checksum(ctx context.Context) (sum uint32, err error) {
	table := crc32.MakeTable(crc32.Castagnoli)
	err = w.content.Each(ctx, w.options.ChunkBytes, func(_ int64, data []byte) error {
		sum = crc32.Update(sum, table, data)
		return nil
	})
	return sum, err
}

// begin finds the version to go on with, or makes one.
func (w *objectWriter) begin(ctx context.Context, former string) error {
	if w.loader.options.Resume {
		versions, err := w.book.versions(ctx)
		if err != nil {
			return err
		}
		for _, v := range versions {
			if v.name != former && v.retired.IsZero() && v.bytes == w.object.Bytes && v.crc32c == w.object.CRC32C &&
				v.chunkBytes == int64(w.options.ChunkBytes) {
				w.noted = v // the last one is the newest
			}
		}
		if w.noted.name != "" {
			w.object.Version = w.noted.name
			return w.book.touch(ctx, w.noted, now())
		}
	}
	w.object.Version = newVersion(w.object.Bytes, w.options.ChunkBytes)
	w.noted = version{
		name: w.object.Version, chunkBytes: int64(w.options.ChunkBytes), bytes: w.object.Bytes, crc32c: w.object.CRC32C, touched: now(),
	}
	return w.book.begin(ctx, w.noted)
}

// now is as Cassandra keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// newVersion names a version: by the time, which sorts, and at random, so that two loads at once write different rows.
func newVersion(bytes int64, chunkBytes int) string {
	v := now().Format("20060102T150405.000Z") + "-" + strings.ToLower(rand.Text()[:10])
	if bytes > PartitionBytes {
		v = fmt.Sprintf("%s+%d", v, PartitionBytes/chunkBytes)
	}
	return v
}

type chunk struct {
	at   int64
	data []byte
}

// touchEvery is the time between two signs of life, far below AbandonedAfter.
const touchEvery = time.Minute

func (w *objectWriter) write(ctx context.Context) error {
	there, err := w.present(ctx)
	if err != nil {
		return err
	}
	table, sum, touched := crc32.MakeTable(crc32.Castagnoli), uint32(0), time.Now()
	feed := func(ctx context.Context, send func(chunk) error) error {
		return w.content.Each(ctx, w.options.ChunkBytes, func(at int64, data []byte) error {
			if time.Since(touched) > touchEvery {
				touched = time.Now()
				if err := w.book.touch(ctx, w.noted, now()); err != nil {
					return err
				}
			}
			sum = crc32.Update(sum, table, data)
			if is, ok := there[at]; ok && is == (chunkMark{len(data), crc32.Checksum(data, table)}) {
				w.done.add(len(data), true)
				return nil
			}
			return send(chunk{at, append(make([]byte, 0, len(data)), data...)})
		})
	}
	cql := `INSERT INTO ` + w.loader.table("chunks") + ` (dataset, name, version, chunk, data) VALUES (?, ?, ?, ?, ?)`
	err = pipe(ctx, w.loader.workersFor(int64(w.options.ChunkBytes)), feed, func(ctx context.Context, c chunk) error {
		err := w.loader.insist(ctx, fmt.Sprintf("insert chunk %d", c.at), cql,
			w.book.dataset, w.book.name, ChunkPartition(w.object.Version, c.at), c.at, c.data)
		if err == nil {
			w.done.add(len(c.data), false)
		}
		return err
	})
	if err == nil && int64(sum) != w.object.CRC32C {
		err = fmt.Errorf("the file changed while it was read: its crc32c was %08x, then %08x", w.object.CRC32C, sum)
	}
	return err
}

// chunkMark is enough of a stored chunk to compare it: 16 bytes instead of 256 KiB.
type chunkMark struct {
	bytes  int
	crc32c uint32
}

// present reads back what an interrupted load wrote of this version: nothing, if it has just begun.
func (w *objectWriter) present(ctx context.Context) (map[int64]chunkMark, error) {
	there := map[int64]chunkMark{}
	if !w.loader.options.Resume {
		return there, nil
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	page := max(verifyPage/w.options.ChunkBytes, 1)
	for _, r := range w.object.Ranges() {
		err := w.loader.chunks(ctx, w.book.dataset, w.book.name, r, page, func(at int64, data []byte) error {
			there[at] = chunkMark{len(data), crc32.Checksum(data, table)}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return there, nil
}

// publish names the version in objects, in place of the former one or of whichever took its place meanwhile, which is then retired.
func (w *objectWriter) publish(ctx context.Context, former string) error {
	cql := `UPDATE ` + w.loader.table("objects") + ` SET version = ?, chunks = ?, bytes = ?, crc32c = ? WHERE dataset = ? AND name = ? IF version = ?`
	for {
		expect := any(former)
		if former == "" {
			expect = nil
		}
		o := w.object
		ok, err := w.loader.cas(ctx, "write object", cql, o.Version, o.Chunks, o.Bytes, o.CRC32C, w.book.dataset, w.book.name, expect)
		if err != nil {
			return err
		}
		if ok {
			break
		}
		present, _, err := w.loader.LookupObject(ctx, w.book.dataset, w.book.name)
		if err != nil {
			return err
		}
		if present.Version == o.Version { // it was applied, and the answer was lost
			break
		}
		former = present.Version
	}
	if former == "" {
		return nil
	}
	return w.book.retire(ctx, former, now(), nil)
}
