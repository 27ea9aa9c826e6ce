package dataset

import (
	"context"
	"fmt"
)

// Encoded is a Set whose samples are turned into the bytes to store.
type Encoded struct {
	set    *Set
	encode func(dst []byte, s Sample) ([]byte, error)
}

// Encoded returns the set's samples as encode appends them to dst. Nil stores them as they are.
func (s *Set) Encoded(encode func(dst []byte, s Sample) ([]byte, error)) *Encoded {
	if encode == nil {
		encode = func(dst []byte, s Sample) ([]byte, error) { return append(dst, s.Data...), nil }
	}
	return &Encoded{set: s, encode: encode}
}

// Len is the number of samples.
func (e *Encoded) Len() int { return e.set.Len() }

// MaxBytes is the size of the largest sample before it is encoded.
func (e *Encoded) MaxBytes() int64 { return e.set.MaxBytes() }

// Each calls yield for every sample in order, with its encoded bytes, borrowed until yield returns, and its label, if it has one.
func (e *Encoded) Each(ctx context.Context, yield func(data []byte, label int64, labelled bool) error) error {
	var buf []byte
	return e.set.Each(ctx, func(s Sample) (err error) {
		if buf, err = e.encode(buf[:0], s); err != nil {
			return fmt.Errorf("encode sample %d: %w", s.Index, err)
		}
		return yield(buf, s.Label, s.HasLabel)
	})
}
