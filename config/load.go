package config

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

const (
	envPrefix = "FOREBAY_"
	// maxFile bounds a configuration file, in bytes; thousands of routes fit.
	maxFile = 4 << 20
	// maxSecret bounds a secret's file, in bytes.
	maxSecret = 64 << 10
)

// Load reads a configuration: flags over environment over file over [Default]. file is a path, or "" for none.
// environ is as [os.Environ] gives it: a variable that is set but empty counts as not set. flags are keyed by field path
// ("redis.address"); lists are comma-separated in both. Files that hold secrets are read, by paths relative to the
// working directory.
//
// Every error is an [*Error] and lists every problem; the Config is then nil. Without an error it is valid, and
// [Config].Warnings holds what was ignored.
func Load(file string, environ []string, flags map[string]string) (*Config, error) {
	if file == "" {
		return Parse("", nil, environ, flags)
	}
	data, err := readBounded(file, maxFile)
	if err != nil {
		return nil, &Error{[]Problem{{Origin: file, Reason: err.Error()}}}
	}
	return Parse(file, data, environ, flags)
}

// Parse is [Load] with the file's text already read; name stands for it in problems.
func Parse(name string, data []byte, environ []string, flags map[string]string) (*Config, error) {
	c := Default()
	c.origins = make(map[string]origin)
	l := &loader{cfg: c, table: c.fields()}
	l.file(name, data)
	l.environ(environ)
	l.flags(flags)
	if !c.Given("source.embedded") {
		c.Source.Embedded = len(c.Source.Cassandra.Hosts) == 0
	}
	l.secretFiles()
	c.validate(&l.problems)
	if err := l.problems.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Given reports whether the field at path ("events.file") was set by the file, the environment or a flag.
func (c *Config) Given(path string) bool {
	_, ok := c.origins[path]
	return ok
}

// loader fills one Config. It is used once.
type loader struct {
	cfg   *Config
	table []field // of cfg
	name  string  // of the file
	problems
}

// set gives a field its text. Later origins win.
func (l *loader) set(f field, text string, at origin) {
	if err := f.val.set(text); err != nil {
		l.add(at, f.path, clip(text), err.Error())
		return
	}
	l.cfg.origins[f.path] = at
}

// environ applies the variables that begin with FOREBAY_.
func (l *loader) environ(environ []string) {
	byName := make(map[string]field, len(l.table))
	for _, f := range l.table {
		byName[f.env()] = f
	}
	for _, variable := range environ {
		name, text, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, envPrefix) || text == "" || kubernetes(name) {
			continue
		}
		if f, ok := byName[name]; ok {
			l.set(f, text, origin{name: name})
			continue
		}
		l.cfg.Warnings = append(l.cfg.Warnings, fmt.Sprintf("%s is ignored: %s", name, unknownVariable(name, byName)))
	}
}

// kubernetes reports whether a variable is one that Kubernetes sets in every pod for a service named forebay.
func kubernetes(name string) bool {
	return strings.HasPrefix(name, "FOREBAY_PORT") || strings.HasPrefix(name, "FOREBAY_SERVICE_")
}

func unknownVariable(name string, known map[string]field) string {
	if strings.HasPrefix(name, envPrefix+"ROUTES") {
		return "routes are set in the file only"
	}
	if near := nearest(name, slices.Sorted(maps.Keys(known))); near != "" {
		return "no such setting; did you mean " + near + "?"
	}
	return "no such setting"
}

// flags applies flags in the order of their names, so that problems come in one order.
func (l *loader) flags(flags map[string]string) {
	byPath := make(map[string]field, len(l.table))
	for _, f := range l.table {
		byPath[f.path] = f
	}
	for _, path := range slices.Sorted(maps.Keys(flags)) {
		at := origin{name: "--" + path}
		f, ok := byPath[path]
		if !ok {
			reason := "no such setting"
			if near := nearest(path, slices.Sorted(maps.Keys(byPath))); near != "" {
				reason += "; did you mean --" + near + "?"
			}
			l.add(at, "", "", reason)
			continue
		}
		l.set(f, flags[path], at)
	}
}

// secretFiles reads each password that is given as a file.
func (l *loader) secretFiles() {
	c := l.cfg
	for _, s := range []struct {
		path string
		text *Secret
		file string
	}{
		{"redis.password", &c.Redis.Password, c.Redis.PasswordFile},
		{"source.cassandra.password", &c.Source.Cassandra.Password, c.Source.Cassandra.PasswordFile},
		{"events.kafka.password", &c.Events.Kafka.Password, c.Events.Kafka.PasswordFile},
		{"invalidate.kafka.password", &c.Invalidate.Kafka.Password, c.Invalidate.Kafka.PasswordFile},
	} {
		path := s.path + "_file"
		if s.file == "" || printable(s.file) != nil {
			continue
		}
		at := c.at(path)
		if *s.text != "" {
			l.add(at, path, clip(s.file), fmt.Sprintf("want %s or %s, not both (%s is set by %s)", s.path, path, s.path, c.at(s.path)))
			continue
		}
		data, err := readBounded(s.file, maxSecret)
		if err != nil {
			l.add(at, path, "", err.Error())
			continue
		}
		*s.text = Secret(strings.TrimRight(string(data), "\r\n"))
		if *s.text == "" {
			l.add(at, path, clip(s.file), "want a file that holds a password; it is empty")
		}
	}
}

// at finds where the value at path came from: its own origin, else that of the nearest section or element that holds it.
func (c *Config) at(path string) origin {
	for path != "" {
		if o, ok := c.origins[path]; ok {
			return o
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return origin{}
}

// readBounded reads a whole file of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read file %s: want at most %s", name, formatSize(limit))
	}
	return data, nil
}
