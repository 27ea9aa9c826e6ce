package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// Record is one record of a topic. Its slices are whoever's it is given to.
type Record struct {
	Offset     int64
	Key, Value []byte
	Headers    []Header
}

// Header is one of a record's.
type Header struct {
	Key   string
	Value []byte
}

// Follower takes what a [Reader] reads. Each partition has a goroutine of its own that calls it, one call at a time.
type Follower interface {
	// Begin tells from which offset on to read a partition. known false: from its end.
	Begin(ctx context.Context, partition int) (offset int64, known bool, err error)
	// Take takes records in order; next is the offset behind them. With none of them, nothing new has come for a while. It returns where to go on:
	// next, or an earlier offset to read from once more.
	Take(ctx context.Context, partition int, records []Record, next int64) (from int64, err error)
	// Lost tells that records from an offset on have gone before they were read.
	Lost(ctx context.Context, partition int) error
}

// ReaderOptions say which topic is read. Brokers, Topic and Follower are required.
type ReaderOptions struct {
	Brokers            []string
	Topic              string
	TLS                *tls.Config // nil: clear text
	Username, Password string      // for SASL PLAIN; "": no SASL
	Follower           Follower
	Log                *slog.Logger // nil logs nothing
}

const (
	readWait     = time.Second // the broker's wait for something new
	readMost     = 1 << 20     // bytes of one answer, unless one record is larger
	readPause    = 500 * time.Millisecond
	readTopicAge = 30 * time.Second // between two looks for new partitions
)

// Reader reads all partitions of a topic, without a group: every reader gets every record.
type Reader struct {
	opt    ReaderOptions
	log    *slog.Logger
	client *kafka.Client
	dials  *dialer

	mu     sync.Mutex
	errs   map[int]error // by partition; -1 is the topic's
	closed context.CancelFunc
	wg     sync.WaitGroup
}

// NewReader returns a reader that begins at once, in goroutines that Close waits for. Kafka need not be there yet.
func NewReader(o ReaderOptions) *Reader {
	r := newReader(o)
	var ctx context.Context
	ctx, r.closed = context.WithCancel(context.Background())
	r.wg.Go(func() { r.run(ctx) })
	return r
}

// newReader makes one that reads nothing by itself. disconnect ends it.
func newReader(o ReaderOptions) *Reader {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Reader{opt: o, log: o.Log, dials: &dialer{}, errs: map[int]error{-1: errors.New("not asked yet")}}
	sink := Options{Topic: o.Topic, TLS: o.TLS, Username: o.Username, Password: o.Password}
	r.client = &kafka.Client{Addr: kafka.TCP(o.Brokers...), Transport: newTransport(sink, r.dials), Timeout: 10 * time.Second}
	return r
}

// Close ends all reading and waits for it.
func (r *Reader) Close() {
	r.closed()
	r.disconnect()
	r.wg.Wait()
}

// disconnect closes all connections.
func (r *Reader) disconnect() {
	r.dials.close()
	if t, ok := r.client.Transport.(*kafka.Transport); ok {
		t.CloseIdleConnections()
	}
}

// Healthy is nil while every partition is read.
func (r *Reader) Healthy() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for partition, err := range r.errs {
		if err != nil {
			return readError(r.opt.Topic, partition, err)
		}
	}
	return nil
}

// whole stands for all partitions of a topic: they cannot be listed.
const whole = -1

// readError is what an operator is told of a partition, or topic, that is not read.
func readError(topic string, partition int, err error) error {
	switch {
	case partition != whole:
		return fmt.Errorf("read topic %s, partition %d: %w", topic, partition, err)
	case errors.Is(err, kafka.UnknownTopicOrPartition):
		return fmt.Errorf("read topic %s: there is none of this name; create it, Forebay does not", topic)
	default:
		return fmt.Errorf("read topic %s: %w", topic, err)
	}
}

// note remembers how a partition does, and logs what is new.
func (r *Reader) note(partition int, err error) {
	r.mu.Lock()
	was := r.errs[partition]
	r.errs[partition] = err
	r.mu.Unlock()
	if err != nil && (was == nil || was.Error() != err.Error()) {
		r.log.Warn("kafka topic is not read", "error", readError(r.opt.Topic, partition, err))
	}
}

// run looks for partitions until ctx ends, and reads each in a goroutine.
func (r *Reader) run(ctx context.Context) {
	known, since := map[int]bool{}, false
	for {
		list, err := r.partitions(ctx)
		if ctx.Err() != nil {
			return
		}
		r.note(whole, err)
		for _, p := range list {
			if known[p] {
				continue
			}
			// One that comes later is new: what is in it was not read by anybody.
			fresh := since
			r.wg.Go(func() { r.follow(ctx, p, fresh) })
			known[p] = true
		}
		since = since || len(list) > 0
		wait := readTopicAge
		if err != nil {
			wait = readPause
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

func (r *Reader) partitions(ctx context.Context) (list []int, err error) {
	meta, err := r.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{r.opt.Topic}})
	if err != nil {
		return nil, err
	}
	for _, t := range meta.Topics {
		if t.Name != r.opt.Topic {
			continue
		}
		if t.Error != nil {
			return nil, t.Error
		}
		for _, p := range t.Partitions {
			list = append(list, p.ID)
		}
	}
	if len(list) == 0 {
		return nil, kafka.UnknownTopicOrPartition
	}
	return list, nil
}

// follow reads one partition until ctx ends.
func (r *Reader) follow(ctx context.Context, partition int, fresh bool) {
	at := int64(-1)
	for ctx.Err() == nil {
		err := r.step(ctx, partition, fresh, &at)
		if ctx.Err() != nil {
			return
		}
		r.note(partition, err)
		if err != nil && !sleep(ctx, readPause) {
			return
		}
	}
}

// step reads and hands over once. at is the next offset, negative while it is not known.
func (r *Reader) step(ctx context.Context, partition int, fresh bool, at *int64) error {
	if *at < 0 {
		from, known, err := r.opt.Follower.Begin(ctx, partition)
		if err != nil {
			return err
		}
		if !known {
			if from, err = r.edge(ctx, partition, fresh); err != nil {
				return err
			}
		}
		if _, err := r.opt.Follower.Take(ctx, partition, nil, from); err != nil { // it is where to go on after a restart
			return err
		}
		*at = from
	}
	records, err := r.fetch(ctx, partition, *at)
	if errors.Is(err, kafka.OffsetOutOfRange) {
		first, err := r.edge(ctx, partition, true)
		if err != nil {
			return err
		}
		r.log.Warn("records have gone before they were read", "topic", r.opt.Topic, "partition", partition, "from", *at, "to", first)
		if err := r.opt.Follower.Lost(ctx, partition); err != nil {
			return err
		}
		*at = first
		return nil
	}
	if err != nil {
		return err
	}
	next := *at
	if n := len(records); n > 0 {
		next = records[n-1].Offset + 1
	}
	from, err := r.opt.Follower.Take(ctx, partition, records, next)
	if err == nil {
		*at = from
	}
	return err
}

// edge is the first offset that is there, or the one that the next record will have.
func (r *Reader) edge(ctx context.Context, partition int, first bool) (int64, error) {
	ask := kafka.LastOffsetOf(partition)
	if first {
		ask = kafka.FirstOffsetOf(partition)
	}
	res, err := r.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{r.opt.Topic: {ask}}})
	if err != nil {
		return 0, err
	}
	for _, p := range res.Topics[r.opt.Topic] {
		switch {
		case p.Partition != partition:
		case p.Error != nil:
			return 0, p.Error
		case first:
			return p.FirstOffset, nil
		default:
			return p.LastOffset, nil
		}
	}
	return 0, errors.New("list offsets: no answer")
}

// fetch reads what there is from an offset on.
func (r *Reader) fetch(ctx context.Context, partition int, at int64) (records []Record, err error) {
	res, err := r.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: r.opt.Topic, Partition: partition, Offset: at, MinBytes: 1, MaxBytes: readMost, MaxWait: readWait,
	})
	if err != nil {
		return nil, err
	}
	if res.Error != nil {
		return nil, res.Error
	}
	for {
		rec, err := res.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, err
		}
		key, err := readAll(rec.Key)
		if err != nil {
			return nil, err
		}
		value, err := readAll(rec.Value)
		if err != nil {
			return nil, err
		}
		if rec.Offset >= at { // an answer is of whole batches
			records = append(records, Record{rec.Offset, key, value, headersOf(rec.Headers)})
		}
	}
}

func headersOf(list []kafka.Header) (headers []Header) {
	for _, h := range list {
		headers = append(headers, Header(h))
	}
	return headers
}

func readAll(b kafka.Bytes) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	return kafka.ReadAll(b)
}
