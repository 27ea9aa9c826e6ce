package dataset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// openFiles opens array files. An IDX file has one array only, so files of one dimension are the labels of the others, in their order.
func (s *Set) openFiles(o Options, paths []string) error {
	var images, labels []*File
	for _, path := range paths {
		f, err := OpenFile(path)
		if err != nil {
			return errors.Join(err, closeAll(images), closeAll(labels))
		}
		if f.idx && len(f.arrays[0].Shape) == 1 && len(paths) > 1 {
			labels = append(labels, f)
		} else {
			images = append(images, f)
		}
	}
	defer func() { _ = closeAll(labels) }() // they were only read
	switch {
	case len(images) == 0:
		return fmt.Errorf("read %s: these files are labels (IDX of one dimension): name the file of the images too", strings.Join(paths, ", "))
	case len(labels) > 0 && o.LabelsFile != "":
		return errors.Join(fmt.Errorf("read %s: it holds labels (IDX of one dimension), and a file of labels is named as well", labels[0].path),
			closeAll(images))
	case len(labels) > 0 && len(labels) != len(images):
		return errors.Join(fmt.Errorf("read %s: %d files of labels for %d of images", labels[0].path, len(labels), len(images)), closeAll(images))
	}
	for i, f := range images {
		paired := (*File)(nil)
		if len(labels) > 0 {
			paired = labels[i]
		}
		if err := s.add(o, f, paired); err != nil {
			return errors.Join(err, closeAll(images[i:])) // those before belong to the set
		}
	}
	return s.labelsFrom(o.LabelsFile)
}

func closeAll(files []*File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// add adds a file to the set, which owns it from then on if there is no error. paired is the file of its labels, or nil.
func (s *Set) add(o Options, f, paired *File) error {
	images, err := f.images(o.Images)
	if err != nil {
		return err
	}
	wrong := func(a *Array, format string, args ...any) error {
		return &FormatError{Path: f.path, Array: a.Name, Offset: a.header, Reason: fmt.Sprintf(format, args...)}
	}
	n, size := images.samples()
	switch {
	case n == 0 || size == 0:
		return wrong(images, "an array of shape %v has no samples", images.Shape)
	case len(s.parts) == 0:
		s.dtype, s.shape = images.DType, images.Shape[1:]
	case images.DType != s.dtype || !slices.Equal(images.Shape[1:], s.shape):
		return wrong(images, "its samples are %s of shape %v, those of %s %s of shape %v",
			images.DType, images.Shape[1:], s.parts[0].path(), s.dtype, s.shape)
	}
	from, labels := f, f.named(o.Labels, "y", "labels", "target")
	if paired != nil {
		from, labels = paired, &paired.arrays[0]
	}
	if o.LabelsFile == "" {
		if err := s.addLabels(o, from, labels, n); err != nil {
			return err
		}
	}
	s.parts = append(s.parts, &arrayPart{f, *images})
	s.n += n
	s.most = max(s.most, int64(size))
	return nil
}

// addLabels reads the labels of the next n samples. labels is nil if the file has none.
func (s *Set) addLabels(o Options, f *File, labels *Array, n int) error {
	switch {
	case labels == nil && o.Labels != "":
		return fmt.Errorf("read %s: it has no array %q, but %s", f.path, o.Labels, f.names())
	case labels == nil && s.labels == nil:
		return nil
	case labels == nil:
		return fmt.Errorf("read %s: it has no labels, the files before it have", f.path)
	case s.n > 0 && s.labels == nil:
		return fmt.Errorf("read %s: it has labels, the files before it have none", f.path)
	}
	values, err := f.labels(labels)
	if err != nil {
		return err
	}
	if len(values) != n {
		return &FormatError{Path: f.path, Array: labels.Name, Offset: labels.header, Reason: fmt.Sprintf("%d labels for %d samples", len(values), n)}
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
