package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Options choose the arrays. The zero value looks for the usual names.
type Options struct {
	// Images names the array of samples. Empty: x, images or data, in any case, else the only array with more than one dimension.
	Images string
	// Labels names the array of labels in the same file. Empty: y, labels or target, or none if there is no such array.
	Labels string
	// LabelsFile is an NPY file of the labels of all files together, since an NPY has no room for a second array.
	LabelsFile string
}

// Sample is one sample of a Set.
type Sample struct {
	Index int
	DType string // as in Array
	Shape []int  // without the axis of the samples; not to be changed
	Data  []byte // in C order; borrowed until the callback returns
	Label int64
	// HasLabel tells whether Label means something.
	HasLabel bool
}

// Set is the samples of one or more files, one after the other.
type Set struct {
	parts []part
	dtype string
	shape []int
	n     int
	// labels is nil without labels.
	labels []int64
}

type part struct {
	file  *File
	array Array
}

// Open opens and checks the files, and chooses their arrays. The files must have samples of one dtype and shape, and all
// of them labels or none. The caller closes the Set.
func Open(o Options, paths ...string) (*Set, error) {
	if len(paths) == 0 {
		return nil, errors.New("open dataset: no file is named")
	}
	s := &Set{}
	for _, path := range paths {
		if err := s.add(o, path); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if err := s.labelsFrom(o.LabelsFile); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close closes the files.
func (s *Set) Close() error {
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, p.file.Close())
	}
	return errors.Join(errs...)
}

// Len is the number of samples.
func (s *Set) Len() int { return s.n }

// DType is the samples' type, as in Array.
func (s *Set) DType() string { return s.dtype }

// Shape is the shape of one sample.
func (s *Set) Shape() []int { return slices.Clone(s.shape) }

// Labelled tells whether the samples have labels.
func (s *Set) Labelled() bool { return s.labels != nil }

// Each calls yield for every sample in order, until it returns an error or ctx ends.
func (s *Set) Each(ctx context.Context, yield func(Sample) error) error {
	from := 0
	for _, p := range s.parts {
		err := p.file.each(&p.array, func(i int, data []byte) error {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("read %s: %w", p.file.path, err)
			}
			sample := Sample{Index: from + i, DType: s.dtype, Shape: s.shape, Data: data}
			if s.labels != nil {
				sample.Label, sample.HasLabel = s.labels[from+i], true
			}
			return yield(sample)
		})
		if err != nil {
			return err
		}
		n, _ := p.array.samples()
		from += n
	}
	return nil
}

func (s *Set) add(o Options, path string) error {
	f, err := OpenFile(path)
	if err != nil {
		return err
	}
	images, err := f.images(o.Images)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.parts = append(s.parts, part{f, *images})
	wrong := func(a *Array, format string, args ...any) error {
		return &FormatError{Path: path, Array: a.Name, Offset: a.header, Reason: fmt.Sprintf(format, args...)}
	}
	n, size := images.samples()
	if n == 0 || size == 0 {
		return wrong(images, "an array of shape %v has no samples", images.Shape)
	}
	if len(s.parts) == 1 {
		s.dtype, s.shape = images.DType, images.Shape[1:]
	} else if images.DType != s.dtype || !slices.Equal(images.Shape[1:], s.shape) {
		return wrong(images, "its samples are %s of shape %v, those of %s %s of shape %v",
			images.DType, images.Shape[1:], s.parts[0].file.path, s.dtype, s.shape)
	}
	had := s.n
	s.n += n
	labels := f.named(o.Labels, "y", "labels", "target")
	switch {
	case o.LabelsFile != "":
		return nil
	case labels == nil && o.Labels != "":
		return fmt.Errorf("read %s: it has no array %q, but %s", path, o.Labels, f.names())
	case labels == nil && s.labels == nil:
		return nil
	case labels == nil:
		return fmt.Errorf("read %s: it has no labels, the files before it have", path)
	case had > 0 && s.labels == nil:
		return fmt.Errorf("read %s: it has labels, the files before it have none", path)
	}
	values, err := f.labels(labels)
	if err != nil {
		return err
	}
	if len(values) != n {
		return wrong(labels, "%d labels for %d samples", len(values), n)
	}
	s.labels = append(s.labels, values...)
	return nil
}

func (s *Set) labelsFrom(path string) error {
	if path == "" {
		return nil
	}
	f, err := OpenFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if len(f.arrays) != 1 {
		return fmt.Errorf("read %s: the file of the labels has one array, not %s", path, f.names())
	}
	s.labels, err = f.labels(&f.arrays[0])
	if err != nil {
		return err
	}
	if len(s.labels) != s.n {
		return &FormatError{Path: path, Reason: fmt.Sprintf("%d labels for %d samples", len(s.labels), s.n)}
	}
	return nil
}

// images finds the array of the samples, and refuses one that cannot be read.
func (f *File) images(name string) (*Array, error) {
	a := f.named(name, "x", "images", "data")
	if a == nil && name != "" {
		return nil, fmt.Errorf("read %s: it has no array %q, but %s", f.path, name, f.names())
	}
	if a == nil && len(f.arrays) == 1 {
		a = &f.arrays[0]
	}
	if a == nil {
		for i := range f.arrays {
			if len(f.arrays[i].Shape) < 2 {
				continue
			}
			if a != nil {
				return nil, fmt.Errorf("read %s: which array holds the samples? It has %s", f.path, f.names())
			}
			a = &f.arrays[i]
		}
	}
	switch {
	case a == nil:
		return nil, fmt.Errorf("read %s: which array holds the samples? It has %s", f.path, f.names())
	case a.itemBytes == 0:
		return nil, &FormatError{Path: f.path, Array: a.Name, Offset: a.header, Reason: refusal(a.DType)}
	case len(a.Shape) == 0:
		return nil, &FormatError{Path: f.path, Array: a.Name, Offset: a.header, Reason: "a single number is no array of samples"}
	}
	return a, nil
}

// named finds an array by its exact name, or by one of the usual names if none is asked for.
func (f *File) named(name string, usual ...string) *Array {
	for i, a := range f.arrays {
		if name != "" && a.Name == name {
			return &f.arrays[i]
		}
		if name == "" && f.entries != nil && slices.Contains(usual, strings.ToLower(a.Name)) {
			return &f.arrays[i]
		}
	}
	return nil
}

func (f *File) names() string {
	var names []string
	for _, a := range f.arrays {
		names = append(names, fmt.Sprintf("%s %s %v", a.Name, a.DType, a.Shape))
	}
	return strings.Join(names, ", ")
}
