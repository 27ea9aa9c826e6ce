package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"

	"github.com/segmentio/kafka-go"
)

// ScanOptions say which topic is scanned. Brokers and Topic are required.
type ScanOptions struct {
	Brokers            []string
	Topic              string
	TLS                *tls.Config // nil: clear text
	Username, Password string      // for SASL PLAIN; "": no SASL
	Follow             bool        // go on with what comes, and with partitions' troubles, until the context ends
	New                bool        // begin at the end
	Log                *slog.Logger
}

// Extent is what a partition holds: the offsets from First to before End.
type Extent struct {
	Partition  int
	First, End int64
}

// Scan reads what a topic of events holds when it is opened, or also what comes after. It is what a [Reader] is not: it has an end, keeps no position, and
// says so when it cannot read.
type Scan struct {
	// Extents are the partitions as they were found, in their order.
	Extents []Extent

	r   *Reader
	opt ScanOptions
	mu  sync.Mutex // held over each call of take
}

// scanTries is how often a partition is asked in vain before a scan that has an end gives up.
const scanTries = 10

// OpenScan looks for the topic. Close the scan in the end.
func OpenScan(ctx context.Context, o ScanOptions) (*Scan, error) {
	s := &Scan{opt: o, r: newReader(ReaderOptions{
		Brokers: o.Brokers, Topic: o.Topic, TLS: o.TLS, Username: o.Username, Password: o.Password, Log: o.Log,
	})}
	for tries := 1; ; tries++ {
		err := s.find(ctx)
		if err == nil {
			return s, nil
		}
		var answer kafka.Error // that partitions are being moved, say, or the topic was made just now
		passing := errors.As(err, &answer) && answer.Temporary() && answer != kafka.UnknownTopicOrPartition
		if !passing || tries == scanTries || !sleep(ctx, readPause) {
			s.Close()
			return nil, fmt.Errorf("read topic %s: %w", o.Topic, err)
		}
	}
}

func (s *Scan) find(ctx context.Context) error {
	s.Extents = nil
	list, err := s.r.partitions(ctx)
	if err != nil {
		return err
	}
	for _, p := range list {
		e := Extent{Partition: p}
		if e.First, err = s.r.edge(ctx, p, true); err != nil {
			return err
		}
		if e.End, err = s.r.edge(ctx, p, false); err != nil {
			return err
		}
		s.Extents = append(s.Extents, e)
	}
	return nil
}

// Close closes the scan's connections.
func (s *Scan) Close() { s.r.disconnect() }

// Run gives take the records of all partitions, those of one in their order, one call at a time; their slices are take's. It returns at the topic's end as it
// was found; with Follow when ctx ends, without an error. An error of take ends it.
func (s *Scan) Run(ctx context.Context, take func(partition int, records []Record) error) error {
	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, e := range s.Extents {
		wg.Go(func() {
			if err := s.partition(ctx, e, take); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if outer.Err() != nil {
		if s.opt.Follow {
			return nil
		}
		return outer.Err()
	}
	return context.Cause(ctx)
}

// partition reads one to its end, or until ctx ends.
func (s *Scan) partition(ctx context.Context, e Extent, take func(int, []Record) error) error {
	at, tries := e.First, 0
	if s.opt.New {
		at = e.End
	}
	for (s.opt.Follow || at < e.End) && ctx.Err() == nil {
		records, err := s.r.fetch(ctx, e.Partition, at)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, kafka.OffsetOutOfRange): // it has gone while the scan was elsewhere
			if at, err = s.r.edge(ctx, e.Partition, true); err == nil {
				continue
			}
		case err == nil && len(records) == 0 && at < e.End:
			err = fmt.Errorf("offset %d does not come", at)
		}
		if err != nil {
			if tries++; tries == scanTries && !s.opt.Follow {
				return fmt.Errorf("read topic %s, partition %d: %w", s.opt.Topic, e.Partition, err)
			}
			s.r.note(e.Partition, err)
			sleep(ctx, readPause)
			continue
		}
		tries = 0
		s.r.note(e.Partition, nil)
		if len(records) == 0 {
			continue
		}
		at = records[len(records)-1].Offset + 1
		for n := len(records); !s.opt.Follow && n > 0 && records[n-1].Offset >= e.End; n-- { // it came since
			records = records[:n-1]
		}
		s.mu.Lock()
		err = take(e.Partition, records)
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// EventPartition is the partition that the seqs of a record's events are contiguous in: as its header says, else the one that it lies in.
func (r *Record) EventPartition(lies int) int {
	for _, h := range r.Headers {
		if h.Key == "partition" {
			if n, err := strconv.Atoi(string(h.Value)); err == nil {
				return n
			}
		}
	}
	return lies
}
