package cassandra

import (
	"context"
	"fmt"
	"hash/crc32"
	"sync"
)

// writer writes the rows of one load.
type writer struct {
	loader         *Loader
	dataset, split string
	total          int
	extent         int64

	mu       sync.Mutex
	progress Progress
}

// row is one sample on its way. Its data are its own.
type row struct {
	idx    int64
	data   []byte
	label  any // int64 or nil
	crc32c uint32
}

// write marks the split as incomplete and writes its samples. Reading waits for writing: the channel holds nothing, so at most one row beyond
// those in flight is in memory. The result lacks only the time.
func (w *writer) write(ctx context.Context, samples Samples) (Stored, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	rows := make(chan row)
	var workers sync.WaitGroup
	var all uint32
	stored := Stored{Complete: true}
	err := samples.Each(ctx, func(data []byte, label int64, labelled bool) error {
		if len(data) > MaxSampleBytes {
			return fmt.Errorf("sample %d has %d bytes, Cassandra takes at most %d", stored.Samples, len(data), MaxSampleBytes)
		}
		if stored.Samples == 0 {
			if err := w.begin(ctx); err != nil {
				return err
			}
			for range min(max(inFlightBytes/max(len(data), 1), 1), w.loader.options.InFlight) {
				workers.Go(func() { w.work(ctx, rows, cancel) })
			}
		}
		// Never nil, which would be stored as null and not as no bytes.
		own := append(make([]byte, 0, len(data)), data...)
		r := row{idx: stored.Samples, data: own, crc32c: crc32.Checksum(data, castagnoli)}
		if labelled {
			r.label = label
		}
		all = crc32.Update(all, castagnoli, data)
		stored.Samples++
		stored.Bytes += int64(len(data))
		select {
		case rows <- r:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(rows)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return Stored{}, cause
	}
	if err != nil {
		return Stored{}, err
	}
	if stored.Samples != int64(w.total) {
		return Stored{}, fmt.Errorf("read %d samples, not %d", stored.Samples, w.total)
	}
	stored.CRC32C, stored.extent = int64(all), stored.Samples
	return stored, nil
}

// begin marks the split as incomplete, and remembers how far anything was ever written.
func (w *writer) begin(ctx context.Context) error {
	before, _, err := w.loader.Lookup(ctx, w.dataset, w.split)
	if err != nil {
		return err
	}
	w.extent = max(before.extent, int64(w.total))
	return w.loader.mark(ctx, w.dataset, w.split, Stored{Samples: int64(w.total), extent: w.extent})
}

// work inserts rows until there are no more, and ends the load if one cannot be inserted.
func (w *writer) work(ctx context.Context, rows <-chan row, cancel context.CancelCauseFunc) {
	cql := `INSERT INTO ` + w.loader.table("samples") +
		` (dataset, split, shard, idx, data, label, crc32c) VALUES (?, ?, ?, ?, ?, ?, ?)`
	for r := range rows {
		err := w.loader.insist(ctx, fmt.Sprintf("insert sample %d", r.idx), cql,
			w.dataset, w.split, r.idx/ShardSamples, r.idx, r.data, r.label, int64(r.crc32c))
		if err != nil {
			cancel(err)
			continue // the reader may be waiting to hand over a row
		}
		w.report(len(r.data))
	}
}

func (w *writer) report(bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.progress.Done++
	w.progress.Total = w.total
	w.progress.Bytes += int64(bytes)
	if w.loader.options.Progress != nil {
		w.loader.options.Progress(w.progress)
	}
}
