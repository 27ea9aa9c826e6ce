package cassandra

import (
	"context"
	"errors"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/backend"
)

// Bounds of a Loader.
const (
	// ShardSamples is how many samples of a split share a partition: shard = idx / ShardSamples.
	ShardSamples = 1024
	// MaxSampleBytes is the largest sample. Cassandra takes a mutation of 16 MiB by default, keys and headers included.
	MaxSampleBytes = 15 << 20
	// DefaultInFlight is how many inserts wait for their answer at once, if LoaderOptions.InFlight is zero.
	DefaultInFlight = 64
	// inFlightBytes bounds the bytes of them, as Cassandra refuses work above a fraction of its heap.
	inFlightBytes = 16 << 20
	loaderTimeout = 10 * time.Second // tables are made in that too
)

// LoaderOptions say where samples are written. Hosts and Keyspace are required.
type LoaderOptions struct {
	// Options connect. Here Consistency is that of writes, "" for LOCAL_QUORUM, and a zero Timeout is 10 s. Lazy means nothing.
	Options
	// Replication is the number of copies in each data centre, used only if the keyspace is to be made. Empty: one copy
	// (SimpleStrategy), which suits one node.
	Replication map[string]int
	// InFlight bounds the inserts that wait at once. Zero: DefaultInFlight. It is lowered for samples of over 256 KiB.
	InFlight int
	// Progress is called after each row that was acknowledged, one call at a time. Nil: nobody is told.
	Progress func(Progress)
	// Resume leaves rows, and chunks of an object, alone that are stored already and equal: what an interrupted load wrote.
	Resume bool
	// NoTables makes no keyspace and none of the tables of datasets: to verify, or to write to tables of the caller's own.
	NoTables bool
}

// Progress tells how far a load has come.
type Progress struct {
	Done, Total int   // rows, or chunks of an object
	Bytes       int64 // of their data
	Skipped     int   // of Done: were stored already (see LoaderOptions.Resume)
}

// Samples is what a Loader writes. Each calls yield for every sample in order, idx 0 to Len()-1, with its bytes, borrowed until yield
// returns. If they have a method MaxBytes() int64 too, it tells the size of the largest.
type Samples interface {
	Len() int
	Each(ctx context.Context, yield func(data []byte, label int64, labelled bool) error) error
}

// Stored is what the table datasets says of one split.
type Stored struct {
	Complete bool
	Samples  int64
	Bytes    int64
	CRC32C   int64 // Castagnoli, of all the samples' data in order
	LoadedAt time.Time
	// extent is one past the highest idx that any load, ended or not, may have written.
	extent int64
}

// Loader writes datasets, and is the only thing in Forebay that writes to Cassandra. It is safe for concurrent use, but
// two loads of the same split at once leave a mix of both.
type Loader struct {
	options LoaderOptions
	session *session
}

// OpenLoader connects, and makes the keyspace and tables that are absent, unless NoTables. Tables that are there with other columns are an error.
// The caller closes the Loader.
func OpenLoader(ctx context.Context, o LoaderOptions) (*Loader, error) {
	if o.Timeout == 0 {
		o.Timeout = loaderTimeout
	}
	if o.InFlight == 0 {
		o.InFlight = DefaultInFlight
	}
	errs := []error{o.Validate()}
	if o.Keyspace == "" {
		errs = append(errs, errors.New("keyspace: a keyspace is needed"))
	}
	if o.InFlight < 0 {
		errs = append(errs, fmt.Errorf("in flight: %d is below zero", o.InFlight))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("open loader: %w", err)
	}
	consistency, err := o.consistency(gocql.LocalQuorum)
	if err != nil {
		return nil, fmt.Errorf("open loader: %w", err)
	}
	connection := o.Options
	connection.Keyspace = "" // it may not exist yet
	sess, err := connect(ctx, connection, consistency)
	if err != nil {
		return nil, err
	}
	l := &Loader{options: o, session: sess}
	if o.NoTables {
		return l, nil
	}
	if err := l.createTables(ctx); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Close ends the connections.
func (l *Loader) Close() { l.session.Close() }

// Keyspace is where the loader writes.
func (l *Loader) Keyspace() string { return l.options.Keyspace }

// Lookup tells what is stored of a split; found is false if no load of it was ever begun.
func (l *Loader) Lookup(ctx context.Context, dataset, split string) (s Stored, found bool, err error) {
	err = l.session.Query(`SELECT complete, samples, bytes, crc32c, loaded_at, extent FROM `+l.table("datasets")+
		` WHERE dataset = ? AND split = ?`, dataset, split).
		ScanContext(ctx, &s.Complete, &s.Samples, &s.Bytes, &s.CRC32C, &s.LoadedAt, &s.extent)
	if errors.Is(err, gocql.ErrNotFound) {
		return Stored{}, false, nil
	}
	if err != nil {
		return Stored{}, false, fail("look up dataset "+dataset+"/"+split, err)
	}
	return s, true, nil
}

// Load writes the samples of one split in place of what there was.
//
// It is complete when its row in datasets says so. The order of the writes makes that hold after an interruption at any point:
//
//  1. datasets: complete = false, extent = the highest of this load and any before it. Nothing is written if the first sample is too large.
//  2. samples, in parallel and in no order. An insert that may have failed is repeated: it writes the same. With Resume, rows that are there with
//     the same checksum and label are left alone.
//  3. Rows from the new count to the extent are deleted: leftovers of a longer load before, also of one that was interrupted.
//  4. datasets: complete = true, the count, the checksum, and extent = the count.
//
// Readers of the samples do not look at datasets: while a split is loaded again they see rows of both. Use a new name for that.
func (l *Loader) Load(ctx context.Context, dataset, split string, samples Samples) (Stored, error) {
	doing := "load dataset " + dataset + "/" + split
	if dataset == "" || split == "" {
		return Stored{}, fmt.Errorf("%s: a dataset and a split are named by at least one letter", doing)
	}
	if samples.Len() == 0 {
		return Stored{}, fmt.Errorf("%s: there are no samples", doing)
	}
	w := &writer{loader: l.slowed(samples), dataset: dataset, split: split, total: samples.Len()}
	write := w.write
	if l.options.Resume {
		write = w.resume
	}
	stored, err := write(ctx, samples)
	if err == nil {
		err = l.deleteBeyond(ctx, dataset, split, int64(w.total), w.extent)
	}
	if err == nil {
		stored.LoadedAt = time.Now().UTC().Truncate(time.Millisecond)
		err = l.mark(ctx, dataset, split, stored)
	}
	if err != nil {
		return Stored{}, fmt.Errorf("%s: %w", doing, err)
	}
	return stored, nil
}

// slowed is the loader with as many inserts in flight as the largest of the samples allows, if they tell: the first need not be
// like the rest.
func (l *Loader) slowed(samples Samples) *Loader {
	sized, ok := samples.(interface{ MaxBytes() int64 })
	if !ok {
		return l
	}
	slowed := *l
	slowed.options.InFlight = l.workersFor(sized.MaxBytes())
	return &slowed
}

func (l *Loader) table(name string) string { return quote(l.options.Keyspace) + "." + quote(name) }

// mark writes the split's row in datasets.
func (l *Loader) mark(ctx context.Context, dataset, split string, s Stored) error {
	return l.insist(ctx, "mark dataset", `INSERT INTO `+l.table("datasets")+
		` (dataset, split, complete, samples, bytes, crc32c, loaded_at, extent) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		dataset, split, s.Complete, s.Samples, s.Bytes, s.CRC32C, s.LoadedAt, s.extent)
}

func (l *Loader) deleteBeyond(ctx context.Context, dataset, split string, from, to int64) error {
	for shard := from / ShardSamples; shard*ShardSamples < to; shard++ {
		err := l.insist(ctx, "delete rows of a longer load", `DELETE FROM `+l.table("samples")+
			` WHERE dataset = ? AND split = ? AND shard = ? AND idx >= ?`, dataset, split, shard, from)
		if err != nil {
			return err
		}
	}
	return nil
}

// insist runs a statement that may be repeated until it succeeds, fails for good, or retries run out.
func (l *Loader) insist(ctx context.Context, doing, cql string, args ...any) error {
	backoff := minBackoff
	for attempt := 1; ; attempt++ {
		err := l.session.Query(cql, args...).ExecContext(ctx)
		if err == nil {
			return nil
		}
		err = fail(doing, err)
		if ctx.Err() != nil || attempt == maxAttempts || errors.Is(err, backend.ErrSourceInvalid) {
			return err
		}
		if !sleep(ctx, backoff) {
			return errors.Join(ctx.Err(), err)
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// maxAttempts of one insert: with the waits between them, a node can be away for about 15 s.
const maxAttempts = 10

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
