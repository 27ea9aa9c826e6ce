package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
)

// Options choose the arrays. The zero value looks for the usual names.
type Options struct {
	// Images names the array of samples. Empty: x, images or data, in any case, else the only array with more than one dimension.
	Images string
	// Labels names the array of labels in the same file. Empty: y, labels or target, or none if there is no such array.
	Labels string
	// LabelsFile is an NPY or IDX file of the labels of all files together, since those have no room for a second array.
	LabelsFile string
	// LabelNames are the names that the sub-folders of a folder may have: a name's label is its place here. Empty: the names found, sorted.
	LabelNames []string
	// MaxFileBytes bounds a file in a folder. Zero: no bound.
	MaxFileBytes int64
}

// Sample is one sample of a Set.
type Sample struct {
	Index int
	DType string // as in Array; "" for a file of a folder
	Shape []int  // without the axis of the samples; not to be changed
	Data  []byte // in C order; borrowed until the callback returns
	Label int64
	// HasLabel tells whether Label means something.
	HasLabel bool
}

// Set is the samples of one or more files, one after the other, or of folders.
type Set struct {
	parts []part
	dtype string
	shape []int
	n     int
	most  int64 // bytes of the largest sample
	// labels is nil without labels.
	labels []int64
	names  []string
}

// part is a file's samples, or a folder's.
type part interface {
	path() string
	count() int
	each(yield func(i int, data []byte) error) error
	Close() error
}

type arrayPart struct {
	*File
	array Array
}

func (p *arrayPart) path() string { return p.File.path }

func (p *arrayPart) count() int {
	n, _ := p.array.samples()
	return n
}

func (p *arrayPart) each(yield func(i int, data []byte) error) error {
	return p.File.each(&p.array, yield)
}

// Open opens and checks the files, and chooses their arrays. The files must have samples of one dtype and shape, and all
// of them labels or none. Or the paths are folders, whose sub-folders' names are the labels. The caller closes the Set.
func Open(o Options, paths ...string) (*Set, error) {
	if len(paths) == 0 {
		return nil, errors.New("open dataset: no file is named")
	}
	folders := 0
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			folders++
		}
	}
	s := &Set{}
	err := errors.New("open dataset: files and folders do not go together")
	switch folders {
	case 0:
		err = s.openFiles(o, paths)
	case len(paths):
		err = s.openFolders(o, paths)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close closes the files.
func (s *Set) Close() error {
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// Len is the number of samples.
func (s *Set) Len() int { return s.n }

// DType is the samples' type, as in Array; "" for files of a folder, which are of any.
func (s *Set) DType() string { return s.dtype }

// Shape is the shape of one sample.
func (s *Set) Shape() []int { return slices.Clone(s.shape) }

// Labelled tells whether the samples have labels.
func (s *Set) Labelled() bool { return s.labels != nil }

// LabelNames are the names of the labels 0, 1, … of folders; nil for anything else.
func (s *Set) LabelNames() []string { return slices.Clone(s.names) }

// MaxBytes is the size of the largest sample.
func (s *Set) MaxBytes() int64 { return s.most }

// Each calls yield for every sample in order, until it returns an error or ctx ends.
func (s *Set) Each(ctx context.Context, yield func(Sample) error) error {
	from := 0
	for _, p := range s.parts {
		err := p.each(func(i int, data []byte) error {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("read %s: %w", p.path(), err)
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
		from += p.count()
	}
	return nil
}
