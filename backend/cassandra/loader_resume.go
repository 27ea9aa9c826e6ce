package cassandra

import (
	"context"
	"fmt"
	"hash/crc32"
)

// mark of a row that is stored already.
type rowMark struct {
	label  *int64
	crc32c int64
}

// resume writes as writer.write does, but leaves alone the rows that are stored already with this checksum and label. An insert is one
// mutation of one row, so a row's checksum is that of its data whenever the load before was interrupted.
func (w *writer) resume(ctx context.Context, samples Samples) (Stored, error) {
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	stored := Stored{Complete: true}
	var all uint32
	if err := w.begin(ctx); err != nil {
		return Stored{}, err
	}
	shard, present := int64(-1), map[int64]rowMark{}
	feed := func(ctx context.Context, send func(row) error) error {
		return samples.Each(ctx, func(data []byte, label int64, labelled bool) (err error) {
			if len(data) > MaxSampleBytes {
				return fmt.Errorf("sample %d has %d bytes, Cassandra takes at most %d", stored.Samples, len(data), MaxSampleBytes)
			}
			r := row{idx: stored.Samples, crc32c: crc32.Checksum(data, castagnoli)}
			if labelled {
				r.label = label
			}
			all = crc32.Update(all, castagnoli, data)
			stored.Samples++
			stored.Bytes += int64(len(data))
			if s := r.idx / ShardSamples; s != shard {
				shard = s
				if present, err = w.present(ctx, shard); err != nil {
					return err
				}
			}
			if m, ok := present[r.idx]; ok && m.crc32c == int64(r.crc32c) && (m.label != nil) == labelled && (!labelled || *m.label == label) {
				w.skip(len(data))
				return nil
			}
			r.data = append(make([]byte, 0, len(data)), data...) // never nil, which would be stored as null
			return send(r)
		})
	}
	cql := `INSERT INTO ` + w.loader.table("samples") +
		` (dataset, split, shard, idx, data, label, crc32c) VALUES (?, ?, ?, ?, ?, ?, ?)`
	err := pipe(ctx, w.loader.options.InFlight, feed, func(ctx context.Context, r row) error {
		err := w.loader.insist(ctx, fmt.Sprintf("insert sample %d", r.idx), cql,
			w.dataset, w.split, r.idx/ShardSamples, r.idx, r.data, r.label, int64(r.crc32c))
		if err == nil {
			w.report(len(r.data))
		}
		return err
	})
	if err != nil {
		return Stored{}, err
	}
	if stored.Samples != int64(w.total) {
		return Stored{}, fmt.Errorf("read %d samples, not %d", stored.Samples, w.total)
	}
	stored.CRC32C, stored.extent = int64(all), stored.Samples
	return stored, nil
}

// present reads which rows of a shard are stored.
func (w *writer) present(ctx context.Context, shard int64) (map[int64]rowMark, error) {
	present := map[int64]rowMark{}
	iter := w.loader.session.Query(`SELECT idx, label, crc32c FROM `+w.loader.table("samples")+
		` WHERE dataset = ? AND split = ? AND shard = ?`, w.dataset, w.split, shard).PageSize(ShardSamples).IterContext(ctx)
	var idx int64
	var sum *int64
	for m := (rowMark{}); iter.Scan(&idx, &m.label, &sum); m = (rowMark{}) {
		if sum != nil {
			m.crc32c = *sum
			present[idx] = m
		}
		sum = nil
	}
	if err := iter.Close(); err != nil {
		return nil, fail(fmt.Sprintf("read what is stored of shard %d", shard), err)
	}
	return present, nil
}

// skip counts a row that is stored already.
func (w *writer) skip(bytes int) {
	w.mu.Lock()
	w.progress.Skipped++
	w.mu.Unlock()
	w.report(bytes)
}
