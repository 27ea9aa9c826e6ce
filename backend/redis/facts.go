package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Facts is what a server tells of itself. A field that it does not tell is zero, and Untold has a line on it.
type Facts struct {
	Version    string   // "7.0.15"
	RunID      string   // changes with each start
	Mode       string   // standalone, sentinel or cluster
	Role       string   // master or slave
	MaxMemory  int64    // bytes; 0 is no bound
	Policy     string   // maxmemory-policy
	Save       string   // the save points of snapshots, "" for none
	AppendOnly bool     // the append-only file is on
	IOThreads  int      // io-threads
	Databases  int      // how many there are
	Untold     []string // what the server would not tell, and its words
	knowsSize  bool     // MaxMemory and Policy were told
}

// Facts asks INFO and CONFIG GET. A server that refuses either (an ACL, a hosted Redis, miniredis) gives partial facts and
// not an error; an error wraps backend.ErrStoreDown.
func (c *Client) Facts(ctx context.Context) (Facts, error) {
	var f Facts
	in, err := c.info(ctx)
	if isReply(err) {
		f.Untold = append(f.Untold, "INFO: "+err.Error())
	} else if err != nil {
		return Facts{}, err
	}
	f.Version, f.RunID, f.Mode, f.Role = in["redis_version"], in["run_id"], in["redis_mode"], in["role"]
	f.AppendOnly = in["aof_enabled"] == "1"
	f.Policy, f.MaxMemory = in["maxmemory_policy"], in.number("maxmemory")
	f.knowsSize = in["maxmemory"] != ""
	if err == nil && f.Version == "" {
		f.Untold = append(f.Untold, "INFO: says nothing of version, memory and persistence")
	}
	for _, name := range []string{"save", "io-threads", "databases"} {
		v, err := c.config(ctx, name)
		if isReply(err) {
			f.Untold = append(f.Untold, "CONFIG GET: "+err.Error())
			break // it refuses CONFIG as a whole
		} else if err != nil {
			return Facts{}, err
		}
		switch name {
		case "save":
			f.Save = v
		case "io-threads":
			f.IOThreads, _ = strconv.Atoi(v)
		case "databases":
			f.Databases, _ = strconv.Atoi(v)
		}
	}
	return f, nil
}

// Check returns ErrCluster for a server that Forebay cannot serve, else nil.
func (f Facts) Check() error {
	if f.Mode == "cluster" {
		return ErrCluster
	}
	return nil
}

// Warnings returns a line for each setting that is wrong for a cache, saying what to do. None is a reason not to start.
func (f Facts) Warnings() []string {
	var w []string
	if f.knowsSize && f.MaxMemory == 0 {
		w = append(w, "redis has no maxmemory and may fill the machine: set maxmemory, for example 'CONFIG SET maxmemory 4gb'")
	}
	if f.Policy == "noeviction" {
		w = append(w, "redis has maxmemory-policy noeviction and refuses writes when it is full: "+
			"'CONFIG SET maxmemory-policy allkeys-lru'")
	}
	if on := f.persistence(); on != "" {
		w = append(w, "redis writes the cache to disk ("+on+"), which costs time and memory: 'CONFIG SET save \"\"' and 'CONFIG SET appendonly no'")
	}
	if f.Role == "slave" {
		w = append(w, "redis is a replica, which refuses to be filled: give redis.address its primary")
	}
	if len(f.Untold) > 0 {
		w = append(w, "redis did not tell all its settings, which were not checked: "+strings.Join(f.Untold, "; "))
	}
	return w
}

// persistence names what keeps the data on disk, "" for nothing.
func (f Facts) persistence() string {
	var on []string
	if f.Save != "" {
		on = append(on, "save "+f.Save)
	}
	if f.AppendOnly {
		on = append(on, "appendonly yes")
	}
	return strings.Join(on, ", ")
}

// Memory returns the bytes that Redis uses now and may use at most (0: no bound). A server that does not tell gives an
// error, which wraps backend.ErrStoreDown if it could not be asked.
func (c *Client) Memory(ctx context.Context) (used, most int64, err error) {
	in, err := c.info(ctx, "memory")
	if err != nil {
		return 0, 0, fmt.Errorf("read redis memory: %w", err)
	}
	if in["used_memory"] == "" {
		return 0, 0, fmt.Errorf("read redis memory: INFO says nothing of it")
	}
	return in.number("used_memory"), in.number("maxmemory"), nil
}
