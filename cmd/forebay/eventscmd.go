package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"forebay/backend/kafka"
	"forebay/config"
	"forebay/internal/event"
)

// eventsCmd reads what Forebays have told: their Kafka topic, or a file of events.
type eventsCmd struct {
	Tail   eventsTailCmd   `cmd:"" help:"Print events as JSON lines."`
	Verify eventsVerifyCmd `cmd:"" help:"Prove that no event is missing, or tell which are."`
}

// eventSource says where events are read.
type eventSource struct {
	File string `type:"path" placeholder:"FILE" help:"File of events, and the one before it (FILE.1). Else the topic events.kafka of the configuration, else events.file, else the embedded default's file."`
}

// placed are lines of events in their order, whole ones, with the partition that their seqs are contiguous in; lines that say it themselves have their
// own.
type placed struct {
	lines     []byte
	partition int
}

// feed is a topic or a file, opened.
type feed struct {
	name    string
	unit    string // what total counts: records of a topic, bytes of a file
	total   int    // what there is
	trimmed []int  // partitions of which the topic no longer holds the beginning
	run     func(ctx context.Context, take func(p placed, n int) error) error
	close   func()
}

// errTorn is a file of events whose last line is not whole.
var errTorn = errors.New("the last line is not whole")

// open opens what is to be read. follow goes on with what comes until the context ends, fresh leaves out what is there.
func (s eventSource) open(c *console, follow, fresh bool) (*feed, error) {
	if s.File != "" {
		return openFile(s.File, follow, fresh)
	}
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	if len(cfg.Events.Kafka.Brokers) > 0 {
		return openTopic(c, cfg, follow, fresh)
	}
	if path := cfg.Events.File; path != "" {
		return openFile(path, follow, fresh)
	}
	if cfg.Redis.Address != config.Embedded {
		return nil, misused("events go nowhere by this configuration: give --file, or events.kafka or events.file")
	}
	dir, err := stateDir()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(cfg.Listen.Address)
	if err != nil {
		return nil, misused("listen.address: %w", err)
	}
	return openFile(filepath.Join(dir, "events-"+port+".ndjson"), follow, fresh)
}

func openTopic(c *console, cfg *config.Config, follow, fresh bool) (*feed, error) {
	k := &cfg.Events.Kafka
	tls, err := k.TLS.Load()
	if err != nil {
		return nil, misused("events.kafka.tls: %w", err)
	}
	scan, err := kafka.OpenScan(c.ctx, kafka.ScanOptions{
		Brokers: k.Brokers, Topic: k.Topic, TLS: tls, Username: k.Username, Password: string(k.Password),
		Follow: follow, New: fresh, Log: newLogger(c.err, cfg.Log),
	})
	if err != nil {
		return nil, err
	}
	f := &feed{name: "topic " + k.Topic, unit: "record", close: scan.Close}
	for _, e := range scan.Extents {
		f.total += int(e.End - e.First)
		if e.First > 0 {
			f.trimmed = append(f.trimmed, e.Partition)
		}
	}
	f.run = func(ctx context.Context, take func(placed, int) error) error {
		return scan.Run(ctx, func(partition int, records []kafka.Record) error {
			for i := range records {
				if err := take(placed{whole(records[i].Value), records[i].EventPartition(partition)}, 1); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return f, nil
}

// whole is lines with an end for the last.
func whole(lines []byte) []byte {
	if n := len(lines); n > 0 && lines[n-1] != '\n' {
		return append(lines, '\n')
	}
	return lines
}

// eachLine calls f for every line that is not empty, without its end.
func (p placed) eachLine(f func(line []byte) error) error {
	for line := range bytes.Lines(p.lines) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := f(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// appendLine appends a line that tells its partition, as those of files do.
func (p placed) appendLine(b, line []byte) []byte {
	line = append(line[:len(line):len(line)], '\n')
	if !bytes.HasSuffix(line, []byte("}\n")) || bytes.Contains(line, []byte(`,"partition":`)) {
		return append(b, line...)
	}
	return event.AppendPlaced(b, line, p.partition)
}

// openFile opens a file of events.
func openFile(path string, follow, fresh bool) (*feed, error) {
	t, err := openEventFile(path, fresh)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return &feed{
		name: path, unit: "byte", total: t.size(), close: t.close,
		run: func(ctx context.Context, take func(placed, int) error) error {
			return t.run(ctx, follow, func(lines []byte) error { return take(placed{lines: lines}, len(lines)) })
		},
	}, nil
}
