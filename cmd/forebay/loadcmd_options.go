package main

import (
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"

	"forebay/backend/cassandra"
	"forebay/config"
)

// options are the loader's. Reads' consistency and timeout are not for writes: its own defaults are.
func (cmd loadCmd) options(cfg *config.Config, log *slog.Logger) (cassandra.LoaderOptions, error) {
	var o cassandra.LoaderOptions
	if err := needed(cfg, cmd.Table); err != nil {
		return o, err
	}
	connection, err := cassandraOptions(cfg)
	if err != nil {
		return o, err
	}
	connection.Consistency, connection.Timeout, connection.Logger = "", 0, log
	if connection.Keyspace == "" { // the table's own
		connection.Keyspace, _, _ = strings.Cut(cmd.Table, ".")
	}
	replication, err := cmd.replication()
	return cassandra.LoaderOptions{
		Options: connection, Replication: replication, Resume: cmd.Resume, NoTables: cmd.VerifyOnly || cmd.Table != "",
	}, err
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
