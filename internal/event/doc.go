// Package event carries what happens in the proxy (hits, misses, loads, evictions) to whoever follows it,
// without ever making a client wait for them.
//
// The path of an event:
//
//  1. A client's goroutine calls [Recorder.Record]: a compact binary record is appended to the recorder's own
//     buffer. No lock is taken, nothing is allocated. Anyone else calls [Pipeline.Record].
//  2. The buffer is handed to the pipeline's queue when it is full, or by the collector [Options.FlushEvery] after its
//     first record. The queue is bounded in bytes. What does not fit is dropped and counted per partition.
//  3. The pump, one goroutine, takes the buffers in order, gives each record the next seq of its partition,
//     tells the observer (metrics), keeps the record in the [Hub]'s ring, and encodes its JSON line for the sinks.
//  4. A [Sink] (Kafka, a file) takes batches of lines into a bounded buffer of its own, or refuses.
//
// # Partitions and seqs
//
// An event's partition is its hash modulo the number of partitions. The hash is xxhash64 of the whole key; of the session's name
// for an event without a key, so that a session's messages stay in order; of "" for neither. It is the same in every
// process and boot.
//
// Within (proxy, boot, partition) the seqs start at 1 and are contiguous. These rules let a reader prove that it has everything:
//
//   - Every line takes one seq, but a gap whose reason is "dropped": with seq s and count n it stands for the
//     seqs s to s+n-1, which were given to events that were lost, and the next line has s+n. Its "by" says where they were lost: "queue" is this
//     package's queue, else a sink's name. A gap with any other reason tells of something lost before it became an event
//     (evictions that Redis did not report, say) and takes one seq.
//   - A gap stands for as many events as it says in every sink alike, or only in the sink that lost them: each sink's stream is
//     complete in itself.
//   - A checkpoint says that everything up to its own seq was given out: the next seq is its own plus one. It
//     comes every [Options.CheckpointEvery] to partitions that had traffic since the last.
//   - An end is the last line of its boot and partition: nothing follows. A clean [Pipeline.Close] and a change of
//     the number of partitions write one to every partition, also to those that had no event (seq 1).
//   - A sink may repeat lines (Kafka after a timeout). Readers dedupe on (proxy, boot, partition, seq). A line counts even where a gap
//     stands for it: an attempt given up as lost may have arrived.
//
// [Verifier] applies them.
package event
