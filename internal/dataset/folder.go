package dataset

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// folder is the files of a folder's sub-folders, by sub-folder and then by name.
type folder struct {
	root  string
	files []folderFile
}

// folderFile is one file, and the size that it had when it was checked.
type folderFile struct {
	path  string
	size  int64
	label string
}

func (d *folder) path() string { return d.root }
func (d *folder) count() int   { return len(d.files) }
func (d *folder) Close() error { return nil }

// openFolders lists and checks the folders. Their labels are numbered together, so that train and test folders can be, too.
func (s *Set) openFolders(o Options, roots []string) error {
	if o.Images != "" || o.Labels != "" || o.LabelsFile != "" {
		return fmt.Errorf("read %s: the labels of a folder are the names of its sub-folders: no array or file of labels can be named", roots[0])
	}
	var folders []*folder
	var found []string
	for _, root := range roots {
		d, names, err := scanFolder(root, o.MaxFileBytes)
		if err != nil {
			return err
		}
		folders, found = append(folders, d), append(found, names...)
	}
	slices.Sort(found)
	s.names = slices.Compact(found)
	if len(o.LabelNames) > 0 {
		for _, name := range s.names {
			if !slices.Contains(o.LabelNames, name) {
				return fmt.Errorf("read %s: the sub-folder %q is none of the label names %s", roots[0], name, strings.Join(o.LabelNames, ", "))
			}
		}
		s.names = slices.Clone(o.LabelNames)
	}
	for _, d := range folders {
		s.parts = append(s.parts, d)
		s.n += len(d.files)
		for _, f := range d.files {
			s.labels = append(s.labels, int64(slices.Index(s.names, f.label)))
			s.most = max(s.most, f.size)
		}
	}
	return nil
}

// scanFolder lists and checks the files. names are those of all sub-folders, of empty ones too: a class without samples keeps its label.
// What begins with a dot is left alone, as desktops leave such files everywhere.
func scanFolder(root string, most int64) (d *folder, names []string, err error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, nil, fmt.Errorf("open dataset: %w", err)
	}
	d = &folder{root: root}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := filepath.Join(root, e.Name())
		if info, err := os.Stat(path); err != nil {
			return nil, nil, fmt.Errorf("open dataset: %w", err)
		} else if !info.IsDir() {
			return nil, nil, &FormatError{Path: path, Reason: "it lies beside the sub-folders whose names are the labels: which label has it?"}
		}
		names = append(names, e.Name())
		if err := d.scan(path, e.Name(), most); err != nil {
			return nil, nil, err
		}
	}
	if len(d.files) == 0 {
		return nil, nil, fmt.Errorf("read %s: there are no files in its sub-folders", root)
	}
	return d, names, nil
}

func (d *folder) scan(dir, label string, most int64) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("open dataset: %w", err)
		case strings.HasPrefix(e.Name(), ".") && e.IsDir():
			return fs.SkipDir
		case strings.HasPrefix(e.Name(), "."), e.IsDir():
			return nil
		}
		size, err := checkFile(path, most)
		d.files = append(d.files, folderFile{path, size, label})
		return err
	})
}

// checkFile checks what can be told of any file, and of the image formats.
func checkFile(path string, most int64) (size int64, err error) {
	file, size, err := openRegular(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	switch {
	case size == 0:
		return 0, &FormatError{Path: path, Reason: "the file is empty"}
	case most > 0 && size > most:
		return 0, &FormatError{Path: path, Offset: most, Reason: fmt.Sprintf("the file has %d bytes, a sample at most %d", size, most)}
	}
	return size, checkImage(file, path, size)
}

func (d *folder) each(yield func(i int, data []byte) error) error {
	var buf []byte
	for i, f := range d.files {
		var err error
		if buf, err = f.read(buf); err != nil {
			return err
		}
		if err := yield(i, buf); err != nil {
			return err
		}
	}
	return nil
}

// read reads the file into buf, grown as needed.
func (f folderFile) read(buf []byte) ([]byte, error) {
	file, size, err := openRegular(f.path)
	if err != nil {
		return buf, err
	}
	defer file.Close()
	buf = slices.Grow(buf[:0], int(f.size))[:f.size]
	n, err := io.ReadFull(file, buf)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return buf, fmt.Errorf("read %s: %w", f.path, err)
	}
	if err != nil || size != f.size {
		return buf, &FormatError{Path: f.path, Offset: int64(n), Reason: fmt.Sprintf("the file changed while it was read: it had %d bytes, now %d", f.size, size)}
	}
	return buf, nil
}
