package cassandra

import (
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

// What readers of objects share with the loader.
type (
	Object     = backend.Object
	ChunkRange = backend.ChunkRange
	Assembly   = backend.Assembly
)

// ChunkPartition is [backend.ChunkPartition].
func ChunkPartition(version string, chunk int64) string {
	return backend.ChunkPartition(version, chunk)
}
