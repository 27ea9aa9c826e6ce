package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"forebay/backend/cassandra"
	"forebay/config"
	"forebay/internal/dataset"
	"forebay/internal/route/numpy"
	"forebay/internal/route/pickle"
)

// loadCmd writes a dataset into Cassandra.
type loadCmd struct {
	Dataset     string   `required:"" placeholder:"NAME" help:"The dataset's name."`
	Split       string   `required:"" placeholder:"NAME" help:"The split's name, as train."`
	Pickle      bool     `help:"Store each sample as a pickled dict {\"image\": ndarray, \"label\": int}; else the array's bytes are stored, and the label beside them."`
	Images      string   `placeholder:"NAME" help:"Array of the samples in an NPZ. Else x, images or data, or the only array of several dimensions."`
	Labels      string   `placeholder:"NAME" help:"Array of the labels in an NPZ. Else y, labels or target, if there is one."`
	LabelsFile  string   `type:"path" placeholder:"FILE" help:"NPY file of the labels of all files together."`
	Replication string   `default:"1" placeholder:"N" help:"Copies of the data, if the keyspace is to be made: a number for each data centre, or dc1=3,dc2=2."`
	Files       []string `arg:"" name:"file" help:"NPY or NPZ files, which continue each other."`
}

// Run checks the files, then writes them. Nothing is written of files that are broken; a load that was interrupted is marked as incomplete.
func (cmd loadCmd) Run(c *console) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	o, err := cmd.options(cfg, newLogger(c.err, cfg.Log))
	if err != nil {
		return err
	}
	set, err := dataset.Open(dataset.Options{Images: cmd.Images, Labels: cmd.Labels, LabelsFile: cmd.LabelsFile}, cmd.Files...)
	if err != nil {
		return err
	}
	defer set.Close()
	encode, err := cmd.encoder(set)
	if err != nil {
		return err
	}
	return cmd.load(c, o, set.Encoded(encode))
}

// load writes the samples and says what was stored.
func (cmd loadCmd) load(c *console, o cassandra.LoaderOptions, samples *dataset.Encoded) error {
	name := cmd.Dataset + "/" + cmd.Split
	shown := newProgress(c.err, name, samples.Len())
	defer shown.end()
	o.Progress = func(p cassandra.Progress) { shown.show(p.Done, p.Bytes) }
	began := time.Now()
	l, err := cassandra.OpenLoader(c.ctx, o)
	if err != nil {
		return fmt.Errorf("open source.cassandra: %w", err)
	}
	defer l.Close()
	stored, err := l.Load(c.ctx, cmd.Dataset, cmd.Split, samples)
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("load %s: interrupted; it is marked as incomplete, run the same command again", name)
	}
	if err != nil {
		return err
	}
	shown.end()
	fmt.Fprintf(c.out, "%s: %s, %d bytes, crc32c %08x, in keyspace %s, %v\n",
		name, count(int(stored.Samples), "sample"), stored.Bytes, stored.CRC32C, o.Keyspace, time.Since(began).Round(10*time.Millisecond))
	return nil
}

// options are the loader's. Reads' consistency and timeout are not for writes: its own defaults are.
func (cmd loadCmd) options(cfg *config.Config, log *slog.Logger) (cassandra.LoaderOptions, error) {
	var o cassandra.LoaderOptions
	if cmd.Dataset == "" || cmd.Split == "" {
		return o, misused("--dataset and --split: a name is needed")
	}
	if cfg.Source.Embedded {
		return o, misused("load writes to Cassandra: give its address by --source.cassandra.hosts=HOST:9042 or in the configuration")
	}
	if cfg.Source.Cassandra.Keyspace == "" {
		return o, misused("load needs a keyspace: give it by --source.cassandra.keyspace=NAME or in the configuration")
	}
	connection, err := cassandraOptions(cfg)
	if err != nil {
		return o, err
	}
	connection.Consistency, connection.Timeout, connection.Logger = "", 0, log
	replication, err := cmd.replication()
	return cassandra.LoaderOptions{Options: connection, Replication: replication}, err
}

// everywhere is what Cassandra 4 and later call the number of copies in each data centre there is.
const everywhere = "replication_factor"

// replication reads --replication; nil is one copy.
func (cmd loadCmd) replication() (map[string]int, error) {
	if cmd.Replication == "1" {
		return nil, nil
	}
	copies := map[string]int{}
	for _, part := range strings.Split(cmd.Replication, ",") {
		dc, number, named := strings.Cut(part, "=")
		if !named {
			dc, number = everywhere, part
		}
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || dc == "" {
			return nil, misused("--replication: %q is neither a number above 0 nor like dc1=3,dc2=2", cmd.Replication)
		}
		copies[dc] = n
	}
	if _, some := copies[everywhere]; some && len(copies) > 1 {
		return nil, misused("--replication: %q is a number and data centres (%s) at once", cmd.Replication,
			strings.Join(slices.Sorted(maps.Keys(copies)), ", "))
	}
	return copies, nil
}

// encoder returns what makes a stored value of a sample, nil for its bytes as they are.
func (cmd loadCmd) encoder(set *dataset.Set) (func([]byte, dataset.Sample) ([]byte, error), error) {
	if !cmd.Pickle {
		return nil, nil
	}
	dtype, err := numpy.ParseDType(set.DType())
	if err != nil {
		return nil, fmt.Errorf("%s: pickle samples: %w", cmd.Files[0], err)
	}
	return func(b []byte, s dataset.Sample) ([]byte, error) {
		b = pickle.AppendDictStart(pickle.AppendStart(b))
		b = pickle.AppendArray(pickle.AppendString(b, "image"), dtype, s.Shape, s.Data)
		if s.HasLabel {
			b = pickle.AppendInt(pickle.AppendString(b, "label"), s.Label)
		}
		return pickle.AppendStop(pickle.AppendDictEnd(b)), nil
	}, nil
}
