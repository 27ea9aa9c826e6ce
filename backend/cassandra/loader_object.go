package cassandra

import (
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"strings"
	"time"

	"forebay/backend"
)

// Bounds of objects.
const (
	// DefaultChunkBytes is how many bytes of an object are in a row. Cells stay far below 1 MB; half a region of a collector with 1 MiB
	// regions (Cassandra's, up to a heap of 2 GiB), above which an array is costly, is not reached; and as many chunks as
	// DefaultInFlight are just what may be in flight.
	DefaultChunkBytes = 256 << 10
	MinChunkBytes     = 4 << 10
	MaxChunkBytes     = 1 << 20
	// PartitionBytes bounds the chunks of an object that share a partition, which should stay under 100 MB.
	PartitionBytes = 64 << 20
	// DefaultGrace is how long the chunks of a version stay after another took its place, for readers that began before.
	DefaultGrace = 10 * time.Minute
	// AbandonedAfter is how long nothing was written of a version before it counts as given up. It then has the grace too.
	AbandonedAfter = time.Hour
)

// objectTables are the tables of objects.
//
//	objects((dataset, name), version, chunks, bytes, crc32c)
//
// has one row an object: the version that counts, how many chunks and bytes it has, and the Castagnoli checksum of all its bytes as an
// unsigned number. It is written last, by a compare-and-set, so that whoever reads it finds a whole version, and one version of two that
// were loaded at once.
//
//	chunks((dataset, name, version), chunk, data)
//
// has the bytes. Chunks 0, 1, … lie in the partition of the object's version, but for objects of over PartitionBytes: see ChunkPartition.
//
//	object_versions((dataset, name), version, chunk_bytes, bytes, crc32c, touched_at, retired_at)
//
// is the loader's own book of what lies in chunks, whether it is whole or not. Readers have no need of it. A row is there before
// the first chunk and until after the last. touched_at is the last sign of life of the load that writes it; retired_at says since when the version
// is not to be read any more, null that it is whole or being written. All of it is written by compare-and-set.
func objectTables() []tableDef {
	text, bigint := "text", "bigint"
	column := func(name, native string) backend.Column {
		return backend.Column{Name: name, Type: typeOf(native), Native: native}
	}
	key := []backend.Column{column("dataset", text), column("name", text)}
	with := func(columns ...backend.Column) []backend.Column {
		return append(key[:len(key):len(key)], columns...)
	}
	return []tableDef{
		{
			name: "objects",
			columns: with(column("version", text), column("chunks", bigint), column("bytes", bigint),
				column("crc32c", bigint)),
			partition: []string{"dataset", "name"},
		},
		{
			name:      "chunks",
			columns:   with(column("version", text), column("chunk", bigint), column("data", "blob")),
			partition: []string{"dataset", "name", "version"}, clustering: []string{"chunk"},
		},
		{
			name: "object_versions",
			columns: with(column("version", text), column("chunk_bytes", bigint), column("bytes", bigint), column("crc32c", bigint),
				column("touched_at", "timestamp"), column("retired_at", "timestamp")),
			partition: []string{"dataset", "name"}, clustering: []string{"version"},
		},
	}
}

// Object is the row of an object. To read one:
//
//  1. SELECT version, chunks, bytes, crc32c FROM objects WHERE dataset = ? AND name = ?
//  2. For each of Ranges: SELECT chunk, data FROM chunks WHERE dataset = ? AND name = ? AND version = ? AND chunk >= ? AND chunk < ?
//     in pages of a few rows. They come in order. "chunk = ?" and "chunk IN ?" do as well.
//  3. Give each to an Assembly, and ask it at the end. An error means that nothing may be handed out as whole: the version was removed
//     while it was read (more than the grace after another took its place), or a replica lacks rows. Begin again at 1, once.
//
// Versions are never written again, so what was read of one before another took its place stays right.
type Object struct {
	Version               string
	Chunks, Bytes, CRC32C int64
}

// ChunkRange are the chunks From to To-1, which lie in the partition of this version.
type ChunkRange struct {
	Version  string
	From, To int64
}

// ChunkPartition is the value of the column version in the rows of chunks where this chunk of an object's version lies.
//
// The version of an object of over PartitionBytes ends in "+N": N chunks share a partition. The first partition is that of the version
// itself, the following ones those of version.1, version.2, …
func ChunkPartition(version string, chunk int64) string {
	n := chunksPerPartition(version)
	if chunk < n {
		return version
	}
	return version + "." + strconv.FormatInt(chunk/n, 10)
}

// chunksPerPartition reads the end of a version; one without "+N" has one partition.
func chunksPerPartition(version string) int64 {
	_, after, ok := strings.Cut(version, "+")
	n, err := strconv.ParseInt(after, 10, 64)
	if !ok || err != nil || n < 1 {
		return math.MaxInt64
	}
	return n
}

// Ranges are the object's chunks by partition, in order.
func (o Object) Ranges() []ChunkRange {
	var ranges []ChunkRange
	n := chunksPerPartition(o.Version)
	for from := int64(0); from < o.Chunks; {
		to := o.Chunks
		if o.Chunks-from > n {
			to = from + n
		}
		ranges = append(ranges, ChunkRange{ChunkPartition(o.Version, from), from, to})
		from = to
	}
	return ranges
}

// Assembly checks an object's chunks as they come by, in order. It keeps none of them.
type Assembly struct {
	object Object
	next   int64
	bytes  int64
	crc32c uint32
}

// Assembly returns the check of one reading of the object.
func (o Object) Assembly() *Assembly { return &Assembly{object: o} }

// Add takes the next chunk. An error wraps ErrDamaged: the chunk is not the next, or one too many.
func (a *Assembly) Add(chunk int64, data []byte) error {
	switch {
	case chunk != a.next || chunk >= a.object.Chunks:
		return fmt.Errorf("%w: chunk %d comes where chunk %d of %d should", ErrDamaged, chunk, a.next, a.object.Chunks)
	case int64(len(data)) > a.object.Bytes-a.bytes:
		return fmt.Errorf("%w: chunk %d ends beyond the %d bytes of the object", ErrDamaged, chunk, a.object.Bytes)
	}
	a.next++
	a.bytes += int64(len(data))
	a.crc32c = crc32.Update(a.crc32c, crc32.MakeTable(crc32.Castagnoli), data)
	return nil
}

// End tells whether the object is whole, else what is wrong. The error wraps ErrDamaged.
func (a *Assembly) End() error {
	switch o := a.object; {
	case a.next != o.Chunks:
		return fmt.Errorf("%w: chunk %d of %d is missing", ErrDamaged, a.next, o.Chunks)
	case a.bytes != o.Bytes:
		return fmt.Errorf("%w: the chunks have %d bytes, the object %d", ErrDamaged, a.bytes, o.Bytes)
	case int64(a.crc32c) != o.CRC32C:
		return fmt.Errorf("%w: the chunks have crc32c %08x, the object %08x", ErrDamaged, a.crc32c, o.CRC32C)
	}
	return nil
}
