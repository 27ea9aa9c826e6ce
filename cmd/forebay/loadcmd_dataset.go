package main

import (
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"forebay/backend/cassandra"
	"forebay/internal/dataset"
	"forebay/internal/route/numpy"
	"forebay/internal/route/pickle"
)

// inputs are the files of one run, all of them open and checked. Either is nil if it was not asked for, or without files.
type inputs struct {
	set     *dataset.Set
	samples *dataset.Encoded
	content *dataset.Content
}

func (in *inputs) close() {
	if in.set != nil {
		in.set.Close()
	}
	if in.content != nil {
		in.content.Close()
	}
}

// dataset loads or verifies samples, an object, or both. Every file is checked before a row of any is written.
func (cmd loadCmd) dataset(c *console, o cassandra.LoaderOptions) error {
	in, err := cmd.inputs()
	defer in.close()
	if err != nil {
		return err
	}
	shown := &loadProgress{w: c.err}
	defer shown.end()
	o.Progress = shown.show
	l, err := cmd.open(c, o)
	if err != nil {
		return err
	}
	defer l.Close()
	if cmd.Split != "" {
		if err := cmd.samples(c, l, in, shown); err != nil {
			return err
		}
	}
	if cmd.Object {
		return cmd.object(c, l, in.content, shown)
	}
	return nil
}

func (cmd loadCmd) inputs() (*inputs, error) {
	in := &inputs{}
	if len(cmd.Files) == 0 {
		return in, nil
	}
	options := dataset.Options{
		Images: cmd.Images, Labels: cmd.Labels, LabelsFile: cmd.LabelsFile, LabelNames: cmd.LabelNames,
		MaxFileBytes: cassandra.MaxSampleBytes - pickleRoom,
	}
	var err error
	if cmd.Split != "" {
		if in.set, err = dataset.Open(options, cmd.Files...); err != nil {
			return in, err
		}
		encode, err := cmd.encoder(in.set)
		if err != nil {
			return in, err
		}
		in.samples = in.set.Encoded(encode)
	}
	if cmd.Object {
		in.content, err = dataset.OpenContent(cmd.Files[0], cmd.Raw, options)
	}
	return in, err
}

// samples stores or verifies the rows of a split.
func (cmd loadCmd) samples(c *console, l *cassandra.Loader, in *inputs, shown *loadProgress) error {
	name, began := cmd.Dataset+"/"+cmd.Split, time.Now()
	if !cmd.VerifyOnly {
		if names := in.set.LabelNames(); names != nil {
			if err := l.StoreLabels(c.ctx, cmd.Dataset, cmd.Split, names); err != nil {
				return interrupted(name, err)
			}
			fmt.Fprintf(c.out, "%s: labels are %s\n", name, spell(names))
		}
		shown.begin(name, "sample", in.samples.Len())
		stored, err := l.Load(c.ctx, cmd.Dataset, cmd.Split, in.samples)
		if err != nil {
			return interrupted(name, err)
		}
		fmt.Fprintf(c.out, "%s: %s, %d bytes, crc32c %08x, in keyspace %s, %v%s\n",
			name, count(int(stored.Samples), "sample"), stored.Bytes, stored.CRC32C,
			l.Keyspace(), took(began), shown.skipped())
	}
	if !cmd.Verify && !cmd.VerifyOnly {
		return nil
	}
	began = time.Now()
	shown.begin(name+" read back", "sample", 0)
	stored, err := l.Verify(c.ctx, cmd.Dataset, cmd.Split)
	if err != nil {
		return unverified(name, err)
	}
	shown.end()
	against := "what was noted at the load"
	if in.samples != nil {
		against = "the files"
		if err := cmd.compare(c, in.samples, stored); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.out, "%s: verified, %s, %d bytes, crc32c %08x as in %s, %v\n",
		name, count(int(stored.Samples), "sample"), stored.Bytes, stored.CRC32C, against, took(began))
	return nil
}

// compare reads the files again and compares them with what is stored.
func (cmd loadCmd) compare(c *console, samples *dataset.Encoded, stored cassandra.Verified) error {
	n, bytes, sum, labels := int64(0), int64(0), uint32(0), uint32(0)
	var buf []byte
	table := crc32.MakeTable(crc32.Castagnoli)
	err := samples.Each(c.ctx, func(data []byte, label int64, labelled bool) error {
		buf = cassandra.AppendLabel(buf[:0], label, labelled)
		labels = crc32.Update(labels, table, buf)
		n++
		bytes += int64(len(data))
		sum = crc32.Update(sum, table, data)
		return nil
	})
	if err != nil {
		return err
	}
	if n != stored.Samples || bytes != stored.Bytes || int64(sum) != stored.CRC32C {
		return fmt.Errorf("verify %s/%s: %w: the files have %d samples, %d bytes, crc32c %08x; stored are %d, %d, %08x",
			cmd.Dataset, cmd.Split, cassandra.ErrDamaged, n, bytes, sum, stored.Samples, stored.Bytes, stored.CRC32C)
	}
	if labels != stored.Labels {
		return fmt.Errorf("verify %s/%s: %w: the labels are not those of the files", cmd.Dataset, cmd.Split, cassandra.ErrDamaged)
	}
	return nil
}

// object stores or verifies an object. content is nil without a file.
func (cmd loadCmd) object(c *console, l *cassandra.Loader, content *dataset.Content, shown *loadProgress) error {
	name, began := cmd.Dataset+"/"+cmd.Name, time.Now()
	var loaded cassandra.Object
	if !cmd.VerifyOnly {
		chunks := (content.Bytes() + int64(cmd.ChunkBytes) - 1) / int64(cmd.ChunkBytes)
		shown.begin(name, "chunk", int(chunks))
		var err error
		loaded, err = l.LoadObject(c.ctx, cmd.Dataset, cmd.Name, content, cassandra.ObjectOptions{ChunkBytes: int(cmd.ChunkBytes), Grace: cmd.Grace})
		if err != nil {
			return interrupted(name, err)
		}
		fmt.Fprintf(c.out, "%s: object of %d bytes in %s, crc32c %08x, version %s, in keyspace %s, %v%s\n",
			name, loaded.Bytes, count(int(loaded.Chunks), "chunk"), loaded.CRC32C, loaded.Version, l.Keyspace(), took(began), shown.skipped())
	}
	if !cmd.Verify && !cmd.VerifyOnly {
		return nil
	}
	began = time.Now()
	shown.begin(name+" read back", "chunk", 0)
	stored, err := l.VerifyObject(c.ctx, cmd.Dataset, cmd.Name)
	if err != nil {
		return unverified(name, err)
	}
	shown.end()
	against := "what was noted at the load"
	if content != nil {
		against = "the file"
		sum := uint32(0)
		err := content.Each(c.ctx, int(cmd.ChunkBytes), func(_ int64, data []byte) error {
			sum = crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), data)
			return nil
		})
		if err == nil && (content.Bytes() != stored.Bytes || int64(sum) != stored.CRC32C) {
			err = fmt.Errorf("verify %s: %w: the file has %d bytes, crc32c %08x; stored are %d, %08x",
				name, cassandra.ErrDamaged, content.Bytes(), sum, stored.Bytes, stored.CRC32C)
		}
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(c.out, "%s: verified, object of %d bytes in %s, crc32c %08x as in %s, %v\n",
		name, stored.Bytes, count(int(stored.Chunks), "chunk"), stored.CRC32C, against, took(began))
	return nil
}

// unverified says in one line why something cannot be called whole.
func unverified(name string, err error) error {
	if errors.Is(err, cassandra.ErrDamaged) {
		return fmt.Errorf("%w; load %s again", err, name)
	}
	return err
}

// spell writes label names: "0 cat, 1 dog".
func spell(names []string) string {
	var all []string
	for i, name := range names {
		all = append(all, fmt.Sprintf("%d %s", i, name))
	}
	return strings.Join(all, ", ")
}

func took(since time.Time) time.Duration { return time.Since(since).Round(10 * time.Millisecond) }

// pickleRoom is more than a pickle adds to a sample's bytes.
const pickleRoom = 4 << 10

// encoder returns what makes a stored value of a sample, nil for its bytes as they are.
func (cmd loadCmd) encoder(set *dataset.Set) (func([]byte, dataset.Sample) ([]byte, error), error) {
	if !cmd.Pickle {
		return nil, nil
	}
	image := func(b []byte, s dataset.Sample) []byte { return pickle.AppendBytes(b, s.Data) }
	if set.DType() != "" {
		dtype, err := numpy.ParseDType(set.DType())
		if err != nil {
			return nil, fmt.Errorf("%s: pickle samples: %w", cmd.Files[0], err)
		}
		image = func(b []byte, s dataset.Sample) []byte { return pickle.AppendArray(b, dtype, s.Shape, s.Data) }
	}
	return func(b []byte, s dataset.Sample) ([]byte, error) {
		b = pickle.AppendDictStart(pickle.AppendStart(b))
		b = image(pickle.AppendString(b, "image"), s)
		if s.HasLabel {
			b = pickle.AppendInt(pickle.AppendString(b, "label"), s.Label)
		}
		return pickle.AppendStop(pickle.AppendDictEnd(b)), nil
	}, nil
}
