package event

import "context"

// Batch is a run of lines of one partition, in order of seq.
type Batch struct {
	Proxy     string
	Boot      int64
	Partition int
	First     int64  // seq of the first line
	Count     int64  // how many seqs the lines stand for: the batch that follows in this boot and partition has First+Count
	Lines     []byte // whole JSON lines, each ending in '\n', at most MaxBatch bytes; borrowed: valid until Write returns
}

// MaxBatch is the most bytes of lines in one Batch. One line is always shorter.
const MaxBatch = 64 << 10

// Sink takes the encoded events somewhere. Write is called by the pipeline's pump alone; the other methods by anyone.
//
// A sink given to a Pipeline belongs to it: Pipeline.Close closes it.
type Sink interface {
	// Name is what a gap's "by" field and the metrics call the sink.
	Name() string
	// Write takes the batch into the sink's own bounded buffer, or refuses it. It never blocks: everyone's events wait behind it.
	//
	// After a refusal (false) the pipeline offers a gap that stands for the refused seqs, ahead of the next batch of that partition, until it is
	// taken. A sink that loses what it has taken puts the gap in its stream itself, with AppendGap.
	Write(b Batch) bool
	// Healthy is nil while what is written arrives, else why it does not. It does not ask: it tells what was last known.
	Healthy() error
	// Close delivers what was taken, until ctx ends, and waits for the sink's goroutines. The error says how many events were not delivered.
	Close(ctx context.Context) error
}

// Partitioned is a Sink whose destination decides the number of partitions (a Kafka topic).
type Partitioned interface {
	Sink
	// Partitions waits until the destination's number of partitions is known, or ctx ends: then it is the number expected, or 0.
	Partitions(ctx context.Context) int
	// OnPartitions sets what is called, from any goroutine, when the number becomes known or changes. It is called once, before the
	// first Write.
	OnPartitions(f func(n int))
}
