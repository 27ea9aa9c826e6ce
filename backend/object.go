package backend

import (
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ErrDamaged means that what is stored is not what was loaded, or not all of it.
var ErrDamaged = errors.New("what is stored is not what was loaded")

// Object is the row of an object: one large value in chunk rows. The tables are
//
//	objects((dataset, name), version, chunks, bytes, crc32c)
//	chunks((dataset, name, version), chunk, data)
//
// To read one:
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
	Chunks, Bytes, CRC32C int64 // the checksum is Castagnoli's, of all bytes
}

// ChunkRange are the chunks From to To-1, which lie in the partition of this version.
type ChunkRange struct {
	Version  string
	From, To int64
}

// ChunkPartition is the value of the column version in the rows of chunks where this chunk of an object's version lies.
//
// The version of an object that is too large for one partition ends in "+N": N chunks share a partition. The first partition is that of the
// version itself, the following ones those of version.1, version.2, …
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
func (o Object) Ranges() []ChunkRange { return slices.Collect(o.Batches(math.MaxInt64)) }

// Batches are the object's chunks in order, some at a time: at most most of them, which is above zero, all of one partition.
func (o Object) Batches(most int64) iter.Seq[ChunkRange] {
	return func(yield func(ChunkRange) bool) {
		n := chunksPerPartition(o.Version)
		for from := int64(0); from < o.Chunks; {
			to := from + min(o.Chunks-from, n-from%n, most)
			if !yield(ChunkRange{ChunkPartition(o.Version, from), from, to}) {
				return
			}
			from = to
		}
	}
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
