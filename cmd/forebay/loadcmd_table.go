package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"forebay/backend"
	"forebay/backend/cassandra"
	"forebay/internal/dataset"
)

// table writes records to the columns of a table, or compares them with it.
func (cmd loadCmd) table(c *console, o cassandra.LoaderOptions) error {
	target := cassandra.RowTable{Name: cmd.Table, Create: cmd.Create}
	if err := cmd.key(&target); err != nil {
		return err
	}
	records, err := dataset.OpenRecords(c.ctx, cmd.Files...)
	if err != nil {
		return err
	}
	defer records.Close()
	rows := recordRows{records}
	for _, column := range records.Columns() {
		target.Columns = append(target.Columns, backend.Column{Name: column.Name, Native: column.Type})
	}
	shown := &loadProgress{w: c.err}
	defer shown.end()
	o.Progress = shown.show
	l, err := cmd.open(c, o)
	if err != nil {
		return err
	}
	defer l.Close()
	began := time.Now()
	if !cmd.VerifyOnly {
		shown.begin(cmd.Table, "row", rows.Len())
		if err := l.LoadRows(c.ctx, target, rows); err != nil {
			return interrupted(cmd.Table, err)
		}
		fmt.Fprintf(c.out, "%s: %s of %s, %v%s\n", cmd.Table, count(rows.Len(), "row"), count(len(target.Columns), "column"),
			took(began), shown.skipped())
	}
	if !cmd.Verify && !cmd.VerifyOnly {
		return nil
	}
	began = time.Now()
	shown.begin(cmd.Table+" read back", "row", rows.Len())
	if err := l.VerifyRows(c.ctx, target, rows); err != nil {
		return unverified(cmd.Table, err)
	}
	shown.end()
	fmt.Fprintf(c.out, "%s: verified, %s as in the files, %v\n", cmd.Table, count(rows.Len(), "row"), took(began))
	return nil
}

// key reads --key: a,b,c or (a,b),c.
func (cmd loadCmd) key(t *cassandra.RowTable) error {
	if cmd.Key == "" {
		return nil
	}
	partition, clustering, _ := strings.Cut(cmd.Key, ",")
	if rest, ok := strings.CutPrefix(cmd.Key, "("); ok {
		if partition, clustering, ok = strings.Cut(rest, ")"); !ok {
			return misused("--key: %q lacks a )", cmd.Key)
		}
		clustering = strings.TrimPrefix(clustering, ",")
	}
	seen := map[string]bool{}
	for _, part := range []struct {
		text string
		to   *[]string
	}{{partition, &t.Partition}, {clustering, &t.Clustering}} {
		if part.text == "" {
			continue
		}
		for _, name := range strings.Split(part.text, ",") {
			if name = strings.TrimSpace(name); name == "" || seen[name] {
				return misused("--key: %q has a column without a name, or twice", cmd.Key)
			}
			seen[name] = true
			*part.to = append(*part.to, name)
		}
	}
	if len(t.Partition) == 0 {
		return misused("--key: %q has no partition key", cmd.Key)
	}
	return nil
}

// recordRows are records as the loader takes them.
type recordRows struct{ *dataset.Records }

// Columns are the names of the records' columns.
func (r recordRows) Columns() []string {
	var names []string
	for _, c := range r.Records.Columns() {
		names = append(names, c.Name)
	}
	return names
}

// Each calls yield for each record.
func (r recordRows) Each(ctx context.Context, yield func(values []any) error) error {
	return r.Records.Each(ctx, func(rec dataset.Record) error {
		for i, v := range rec.Values {
			if _, absent := v.(dataset.Absent); absent {
				rec.Values[i] = cassandra.Unset{}
			}
		}
		return yield(rec.Values)
	})
}
