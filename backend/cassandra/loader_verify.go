package cassandra

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"forebay/backend"
)

// ErrDamaged is [backend.ErrDamaged].
var ErrDamaged = backend.ErrDamaged

// Verified is what was read back.
type Verified struct {
	Stored
	// Labels is the Castagnoli checksum of what AppendLabel makes of all labels in order.
	Labels uint32
}

// AppendLabel appends a sample's label in the form whose checksum tells one order of labels from another.
func AppendLabel(b []byte, label int64, labelled bool) []byte {
	if !labelled {
		return append(b, 0)
	}
	return binary.BigEndian.AppendUint64(append(b, 1), uint64(label))
}

// verifyPage is how many bytes of rows a page should have while they are read back.
const verifyPage = 4 << 20

// Verify reads a split back: its row in datasets says that it is complete, the rows are there from idx 0 to the last without a gap and none
// after it, each row's data have its own checksum, and all of them that of the split. Anything else wraps ErrDamaged. It
// returns what is stored, for whoever has the file to compare with.
func (l *Loader) Verify(ctx context.Context, dataset, split string) (Verified, error) {
	doing := "verify dataset " + dataset + "/" + split
	stored, found, err := l.Lookup(ctx, dataset, split)
	switch {
	case err != nil:
		return Verified{}, fmt.Errorf("%s: %w", doing, err)
	case !found:
		return Verified{}, fmt.Errorf("%s: %w: it was never loaded", doing, ErrDamaged)
	case !stored.Complete:
		return Verified{}, fmt.Errorf("%s: %w: its last load did not end", doing, ErrDamaged)
	}
	v := verifier{loader: l, dataset: dataset, split: split, want: stored}
	v.done.tell, v.done.progress.Total = l.options.Progress, int(stored.Samples)
	if err := v.run(ctx); err != nil {
		return Verified{}, fmt.Errorf("%s: %w", doing, err)
	}
	return Verified{stored, v.labels}, nil
}

// verifier reads the rows of one split in order.
type verifier struct {
	loader         *Loader
	dataset, split string
	want           Stored
	next, bytes    int64
	all, labels    uint32
	done           tally
}

func (v *verifier) run(ctx context.Context) error {
	last := max(v.want.Samples, v.want.extent) / ShardSamples // has a row too many, if any has
	for shard := range last + 1 {
		if err := v.shard(ctx, shard); err != nil {
			return err
		}
	}
	switch {
	case v.next != v.want.Samples:
		return fmt.Errorf("%w: %d samples, not %d", ErrDamaged, v.next, v.want.Samples)
	case v.bytes != v.want.Bytes:
		return fmt.Errorf("%w: %d bytes, not %d", ErrDamaged, v.bytes, v.want.Bytes)
	case int64(v.all) != v.want.CRC32C:
		return fmt.Errorf("%w: all samples together have crc32c %08x, not %08x", ErrDamaged, v.all, v.want.CRC32C)
	}
	return nil
}

func (v *verifier) shard(ctx context.Context, shard int64) error {
	page := min(max(verifyPage/max(v.want.Bytes/max(v.want.Samples, 1), 1), 1), ShardSamples)
	iter := v.loader.session.Query(`SELECT idx, data, label, crc32c FROM `+v.loader.table("samples")+
		` WHERE dataset = ? AND split = ? AND shard = ?`, v.dataset, v.split, shard).PageSize(int(page)).IterContext(ctx)
	var idx int64
	var data []byte
	var label, sum *int64
	for iter.Scan(&idx, &data, &label, &sum) {
		if err := v.row(idx, data, label, sum); err != nil {
			return errors.Join(err, iter.Close())
		}
	}
	if err := iter.Close(); err != nil {
		return fail(fmt.Sprintf("read shard %d", shard), err)
	}
	return nil
}

func (v *verifier) row(idx int64, data []byte, label, sum *int64) error {
	table := crc32.MakeTable(crc32.Castagnoli)
	is := crc32.Checksum(data, table)
	switch {
	case idx >= v.want.Samples:
		return fmt.Errorf("%w: sample %d is one too many, there should be %d", ErrDamaged, idx, v.want.Samples)
	case idx != v.next:
		return fmt.Errorf("%w: sample %d is missing", ErrDamaged, v.next)
	case sum == nil:
		return fmt.Errorf("%w: sample %d has no checksum", ErrDamaged, idx)
	case *sum != int64(is):
		return fmt.Errorf("%w: sample %d has crc32c %08x, its row says %08x", ErrDamaged, idx, is, *sum)
	}
	v.next++
	v.bytes += int64(len(data))
	v.all = crc32.Update(v.all, table, data)
	if label == nil {
		v.labels = crc32.Update(v.labels, table, AppendLabel(nil, 0, false))
	} else {
		v.labels = crc32.Update(v.labels, table, AppendLabel(nil, *label, true))
	}
	v.done.add(len(data), false)
	return nil
}
