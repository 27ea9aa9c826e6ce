package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"forebay/backend"
	"forebay/backend/cassandra"
	"forebay/config"
)

// loadCmd writes a dataset into Cassandra: as rows of samples, as an object in chunks, both, or as rows of a table of columns.
type loadCmd struct {
	Dataset     string   `placeholder:"NAME" help:"The dataset's name."`
	Split       string   `placeholder:"NAME" help:"Store samples, in this split, as train."`
	Pickle      bool     `help:"Store each sample as a pickled dict {\"image\": ndarray, \"label\": int}, of a folder's files {\"image\": bytes, …}; else the array's or file's bytes are stored, and the label beside them."`
	Images      string   `placeholder:"NAME" help:"Array of the samples in an NPZ. Else x, images or data, or the only array of several dimensions."`
	Labels      string   `placeholder:"NAME" help:"Array of the labels in an NPZ. Else y, labels or target, if there is one."`
	LabelsFile  string   `type:"path" placeholder:"FILE" help:"NPY or IDX file of the labels of all files together."`
	LabelNames  []string `placeholder:"NAME" help:"Names of the labels 0, 1, … of a folder. Else those of its sub-folders, sorted."`
	Replication string   `default:"1" placeholder:"N" help:"Copies of the data, if the keyspace is to be made: a number for each data centre, or dc1=3,dc2=2. Default: 1."`

	Object     bool          `help:"Store the bytes of the first file as an object, in chunks: beside the samples if there is a --split, else instead of them."`
	Name       string        `placeholder:"NAME" help:"The object's name."`
	Raw        bool          `help:"The object is the bytes of the file's array in C order, without its header; else the file's own bytes."`
	ChunkBytes byteSize      `default:"256KiB" placeholder:"SIZE" help:"Size of an object's chunks, 4KiB to 1MiB. Default: 256KiB."`
	Grace      time.Duration `default:"10m" help:"How long the chunks of a replaced object stay for those who read it. The next load of the object or --sweep removes them."`
	Sweep      bool          `help:"Remove the chunks of replaced and given up objects whose grace is over; of all objects, or of --dataset and --name."`

	Table  string `placeholder:"KEYSPACE.TABLE" help:"Write CSV or JSON lines to the columns of this table, by header or keys."`
	Create bool   `help:"Make the --table if it is absent, with types inferred from the files."`
	Key    string `placeholder:"COL,…" help:"Primary key for --create: the first is the partition key; (a,b),c for one of several columns."`

	Resume     bool     `help:"Go on with a load that was interrupted: what is stored and equal is not written again."`
	Verify     bool     `help:"Read everything back afterwards and compare checksums and counts."`
	VerifyOnly bool     `help:"Write nothing, only read back and compare: with what was noted at the load, and with the files if there are any."`
	Files      []string `arg:"" optional:"" name:"file" help:"NPY, NPZ or IDX files, which continue each other (IDX: images and their labels), a folder with a sub-folder for each label, or with --table CSV or JSON lines. All but NPZ and folders may be in gzip."`
}

// Run checks the files, then writes them. Nothing is written of files that are broken; a load that was interrupted is marked as incomplete.
func (cmd loadCmd) Run(c *console) error {
	if err := cmd.usage(); err != nil {
		return err
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	o, err := cmd.options(cfg, newLogger(c.err, cfg.Log))
	if err != nil {
		return err
	}
	switch {
	case cmd.Table != "":
		return cmd.table(c, o)
	case cmd.Sweep && len(cmd.Files) == 0:
		return cmd.sweep(c, o)
	default:
		return cmd.dataset(c, o)
	}
}

// usage finds flags that do not go together, before anything is looked at.
func (cmd loadCmd) usage() error {
	samples, object, table := cmd.Split != "", cmd.Object, cmd.Table != ""
	for _, rule := range []struct {
		broken bool
		says   string
	}{
		{len(cmd.Files) == 0 && !cmd.Sweep && !cmd.VerifyOnly, `load needs files: expected "<file> ..." (see forebay load --help)`},
		{len(cmd.Files) > 0 && cmd.Sweep, "--sweep takes no files: a load of an object sweeps by itself"},
		{cmd.Sweep && (samples || object || table || cmd.Verify || cmd.VerifyOnly), "--sweep goes with --dataset, --name and --grace only"},
		{table && (samples || object || cmd.Dataset != "" || cmd.Pickle), "--table does not go with --dataset, --split, --object or --pickle"},
		{table && len(cmd.Files) == 0, "--verify-only of a --table needs the files to compare with"},
		{cmd.Create && cmd.Key == "", "--create needs --key with the columns of the primary key"},
		{!table && (cmd.Create || cmd.Key != ""), "--create and --key are for --table"},
		{cmd.Key != "" && !cmd.Create, "--key is for --create: a table that is there has its key"},
		{!table && !cmd.Sweep && cmd.Dataset == "", "--dataset: a name is needed"},
		{!table && !cmd.Sweep && !samples && !object, "--split: a name is needed, or --object"},
		{object && cmd.Name == "", "--object needs --name"},
		{!object && !cmd.Sweep && cmd.Name != "", "--name is for --object"},
		{!object && cmd.Raw, "--raw is for --object"},
		{object && !samples && len(cmd.Files) > 1, "--object takes one file; with --split too it takes the first"},
		{!samples && cmd.Pickle, "--pickle is for samples: give --split"},
		{cmd.Verify && cmd.VerifyOnly, "--verify and --verify-only are given both"},
		{cmd.VerifyOnly && cmd.Resume, "--verify-only writes nothing: there is nothing to --resume"},
		{cmd.Grace < 0, "--grace is below zero"},
		{cmd.ChunkBytes < cassandra.MinChunkBytes || cmd.ChunkBytes > cassandra.MaxChunkBytes, "--chunk-bytes: want 4KiB to 1MiB"},
	} {
		if rule.broken {
			return misused("%s", rule.says)
		}
	}
	return nil
}

// byteSize is a number of bytes: 65536, 64KiB, 1MiB.
type byteSize int

// UnmarshalText reads one.
func (s *byteSize) UnmarshalText(text []byte) error {
	number, unit := string(text), 1
	for suffix, size := range map[string]int{"KiB": 1 << 10, "MiB": 1 << 20} {
		if before, ok := strings.CutSuffix(number, suffix); ok {
			number, unit = before, size
			break
		}
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n > 1<<30 {
		return fmt.Errorf("%q is no size: want bytes, or like 64KiB or 1MiB", text)
	}
	*s = byteSize(n * unit)
	return nil
}

// open connects. The loader tells show how far it is.
func (cmd loadCmd) open(c *console, o cassandra.LoaderOptions) (*cassandra.Loader, error) {
	l, err := cassandra.OpenLoader(c.ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open source.cassandra: %w", err)
	}
	return l, nil
}

// interrupted says how to go on, where going on can help.
func interrupted(what string, err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("load %s: interrupted; it is not complete: run the same command with --resume to go on", what)
	case errors.Is(err, backend.ErrSourceDown), errors.Is(err, backend.ErrSourceTimeout):
		return fmt.Errorf("%w; it is not complete: run the same command with --resume to go on", err)
	default:
		return err
	}
}

// sweep removes what no object names any more.
func (cmd loadCmd) sweep(c *console, o cassandra.LoaderOptions) error {
	o.NoTables = true
	l, err := cmd.open(c, o)
	if err != nil {
		return err
	}
	defer l.Close()
	s, err := l.Sweep(c.ctx, cmd.Dataset, cmd.Name, cmd.Grace)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "swept %s: %s removed (%d bytes), %d in their grace, %d may be still being written\n",
		count(s.Objects, "object"), count(s.Removed, "version"), s.Bytes, s.Waiting+s.Retired, s.Unsettled)
	return nil
}

// needed says what of the configuration load cannot do without.
func needed(cfg *config.Config, table string) error {
	if cfg.Source.Embedded {
		return misused("load writes to Cassandra: give its address by --source.cassandra.hosts=HOST:9042 or in the configuration")
	}
	if cfg.Source.Cassandra.Keyspace == "" && !strings.Contains(table, ".") {
		return misused("load needs a keyspace: give it by --source.cassandra.keyspace=NAME or in the configuration")
	}
	return nil
}
