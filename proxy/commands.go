package proxy

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"forebay/internal/metric"
)

// class says which path a command takes.
type class uint8

const (
	shared     class = iota // forwarded on the shared connection
	local                   // answered here: it is about the client's own connection
	multi                   // MULTI
	exec                    // EXEC
	discard                 // DISCARD
	watch                   // WATCH: the connection is the client's own until EXEC, DISCARD or UNWATCH
	unwatch                 // UNWATCH
	blocking                // may wait on the server: on a connection of its own until it is answered
	subscribe               // (P|S)SUBSCRIBE and (P|S)UNSUBSCRIBE
	ownForever              // changes its connection for good: the connection is the client's own from here on
	relayed                 // its replies are no longer one a command: what comes is passed on as it is
	info                    // INFO: forwarded, with a section added
	pubsub                  // PUBSUB: forwarded, Forebay's own subscriptions left out
	keyspace                // KEYS, SCAN, RANDOMKEY: forwarded, Forebay's own keys left out
)

// readOp is a read that loads what is missing.
type readOp uint8

const (
	noRead readOp = iota
	opGet
	opGetEx
	opGetDel
	opGetRange
	opStrLen
	opMGet
	opHGet // the first that reads a hash
	opHMGet
	opHGetAll
	opHExists
	opHLen
	opHKeys
	opHVals
	opHStrLen
)

// command is one row of the command table. It is never changed once the table is in use.
type command struct {
	name  string
	class class
	read  readOp
	needs need
	id    metric.CommandID
	arity int // as COMMAND gives it: negative for "at least"
	// writes: it may change or remove keys. With firstKey 0 it is not known which.
	writes                  bool
	firstKey, lastKey, step int
	container               bool // its second word is a command of its own
	replicates              bool // it does not write, but is postponed like a write by CLIENT PAUSE … WRITE
}

// containers are commands of which CLIENT LIST names the subcommand too.
var containers = map[string]bool{
	"acl": true, "client": true, "cluster": true, "command": true, "config": true, "function": true, "latency": true, "memory": true, "module": true,
	"object": true, "pubsub": true, "script": true, "slowlog": true, "xgroup": true, "xinfo": true,
}

// writers are commands that COMMAND does not tell to write, with the position of their keys; 0: any key.
var writers = map[string]int{"xgroup": 2, "debug": 0, "replicaof": 0, "slaveof": 0}

// arityOK tells whether a command with n words has a number of arguments that Redis accepts.
func (c *command) arityOK(n int) bool {
	return c.arity == 0 || n == c.arity || (c.arity < 0 && n >= -c.arity)
}

//go:embed commands.txt
var redis70 string

// classes is what COMMAND cannot tell.
var classes = map[string]class{
	"hello": local, "auth": local, "select": local, "client": local, "reset": local, "quit": local, "forebay": local,
	"multi": multi, "exec": exec, "discard": discard, "watch": watch, "unwatch": unwatch,
	"wait": blocking, "waitaof": blocking, "script": blocking, "function": blocking, "debug": blocking,
	"flushall": blocking, "flushdb": blocking, // from Redis 7.4 on they wait for the memory to be freed, in the background
	"command":   blocking, // COMMAND DOCS is large, and SCRIPT KILL must not queue behind the script
	"subscribe": subscribe, "psubscribe": subscribe, "ssubscribe": subscribe,
	"unsubscribe": subscribe, "punsubscribe": subscribe, "sunsubscribe": subscribe,
	"monitor": relayed, "sync": relayed, "psync": relayed,
	"asking": ownForever, "readonly": ownForever, "readwrite": ownForever,
	"replconf": ownForever, // REPLCONF ACK has no reply: whoever comes behind it would get another's
	"info":     info, "pubsub": pubsub,
	"keys": keyspace, "scan": keyspace, "randomkey": keyspace,
}

var readOps = map[string]readOp{
	"get": opGet, "getex": opGetEx, "getdel": opGetDel, "getrange": opGetRange, "substr": opGetRange, "strlen": opStrLen, "mget": opMGet,
	"hget": opHGet, "hmget": opHMGet, "hgetall": opHGetAll, "hexists": opHExists, "hlen": opHLen, "hkeys": opHKeys, "hvals": opHVals, "hstrlen": opHStrLen,
}

// commands is the command table, by lower-case name.
type commands map[string]*command

// newCommands makes the table of Redis 7.0.
func newCommands() (commands, error) {
	table := commands{}
	for _, line := range strings.Split(redis70, "\n") {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		if len(f) != 6 {
			return nil, fmt.Errorf("read command table: line %q", line)
		}
		var n [4]int
		for i, word := range []string{f[1], f[3], f[4], f[5]} {
			v, err := strconv.Atoi(word)
			if err != nil {
				return nil, fmt.Errorf("read command table: line %q: %w", line, err)
			}
			n[i] = v
		}
		table.add(f[0], n[0], strings.Split(f[2], ","), n[1], n[2], n[3])
	}
	table.add("forebay", -1, nil, 0, 0, 0)
	return table, nil
}

// add enters one command as COMMAND describes it.
func (t commands) add(name string, arity int, flags []string, first, last, step int) {
	c := &command{name: name, arity: arity, firstKey: first, lastKey: last, step: step, id: metric.CommandIndex([]byte(name))}
	var movable, readonly, blocks bool
	for _, f := range flags {
		switch f {
		case "write":
			c.writes = true
		case "readonly":
			readonly = true
		case "movablekeys":
			movable = true
		case "blocking":
			blocks = true
		}
	}
	if movable && !readonly {
		c.writes = true // scripts and functions
	}
	if movable || name == "flushall" || name == "flushdb" || name == "swapdb" {
		c.firstKey = 0
	}
	if key, ok := writers[name]; ok {
		c.writes, c.firstKey, c.lastKey, c.step = true, key, key, 1
	}
	c.class = classes[name]
	if blocks && c.class == shared {
		c.class = blocking
	}
	c.read, c.needs = readOps[name], needs[name]
	c.container = containers[name]
	c.replicates = name == "publish" || name == "spublish" || name == "pfcount"
	t[name] = c
}

// find returns the command of that name in any case, nil if the table has none. It does not allocate.
func (t commands) find(name []byte) *command {
	var low [32]byte
	if len(name) > len(low) {
		return nil
	}
	for i, b := range name {
		if 'A' <= b && b <= 'Z' {
			b |= 0x20
		}
		low[i] = b
	}
	return t[string(low[:len(name)])]
}

// keys calls f for each key among args. It returns false if the command has keys that are not where the table says.
func (c *command) keys(args [][]byte, f func(key []byte)) bool {
	if c.firstKey == 0 {
		return false
	}
	last := c.lastKey
	if last < 0 {
		last += len(args)
	}
	for i := c.firstKey; i <= last && i < len(args); i += max(1, c.step) {
		f(args[i])
	}
	return true
}
