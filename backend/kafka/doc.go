// Package kafka carries batches of events to a Kafka topic: an [event.Sink].
//
// The path of a batch:
//
//  1. Write, called by the event pipeline's pump, appends the lines to the open pack of its partition. A pack is one Kafka record of
//     up to 64 KiB of NDJSON; packing removes nearly the whole cost of a record. Nothing here waits.
//  2. A goroutine for each partition sends packs, several in one request, one request at a time (so order holds), with acks from all in-sync replicas.
//     A pack is sent when it is full or has lingered.
//  3. What Kafka refuses or does not answer is sent again, with growing pauses, until it is taken or the budget is full.
//  4. The budget covers all partitions. When it is full the oldest pack that is not in a request is dropped, and a gap, which stands for
//     its seqs, takes its place in the partition's stream.
//
// Invariants: the headers of a partition's records form one contiguous run for each (proxy, boot, partition): first seq plus count is
// the next first seq, but for repeats. There is no idempotent producer in kafka-go: a request that timed out may arrive after it
// was sent again, so readers dedupe. A pack that was once in a request is never changed: the library may still be reading it after
// a request was given up.
//
// # Records
//
// The value is one or more event lines. The headers are decimal text but for the first and last:
//
//	proxy         the process
//	boot          its boot number
//	partition     the partition of the pipeline, which seqs are contiguous in. It is the topic's own, but for events that
//	              waited through a change of the topic to fewer partitions
//	seq           seq of the first line
//	count         how many seqs the lines stand for
//	content-type  application/x-ndjson
//
// # The topic
//
// The topic is looked for in the background from New on, created if it is absent, and looked at again every half minute. Its own number of
// partitions wins over the configured one. Until it is known nothing is sent; a change of it is told to the pipeline,
// which begins a new boot.
package kafka
