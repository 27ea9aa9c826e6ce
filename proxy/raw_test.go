package proxy_test

import (
	"strings"
	"testing"
)

// Replies of every shape are Redis's own bytes, in both protocols.
func TestRepliesAreRedissOwnBytes(t *testing.T) {
	// One function at a time: Redis lists several in an order of its own.
	const lib = "#!lua name=lib\nredis.register_function('f',function(k,a) return a[1] end)"
	const ro = "#!lua name=ro\nredis.register_function{function_name='ro',callback=function() return redis.call('PING') end,flags={'no-writes'}}"
	groups := map[string][][]string{
		"functions": {
			{"FUNCTION", "LOAD", lib},
			{"FUNCTION", "LOAD", lib},
			{"FUNCTION", "LOAD", "REPLACE", lib},
			{"FCALL", "f", "1", "k", "a"},
			{"FCALL_RO", "f", "0"},
			{"FCALL", "none", "0"},
			{"FUNCTION", "LIST"},
			{"FUNCTION", "LIST", "WITHCODE"},
			{"FUNCTION", "STATS"},
			{"FUNCTION", "DUMP"},
			{"FUNCTION", "KILL"},
			{"FUNCTION", "DELETE", "lib"},
			{"FUNCTION", "DELETE", "lib"},
			{"FUNCTION", "LOAD", ro},
			{"FCALL_RO", "ro", "0"},
			{"FUNCTION", "LIST", "WITHCODE"},
			{"FUNCTION", "FLUSH"},
			{"FUNCTION", "HELP"},
		},
		"types of a script": {
			{"EVAL", "redis.setresp(3); return {big_number='1234567999999999999999999999999999999'}", "0"},
			{"EVAL", "redis.setresp(3); return {double=3.14}", "0"},
			{"EVAL", "redis.setresp(3); return {map={a=1}}", "0"},
			{"EVAL", "redis.setresp(3); return {set={a=true}}", "0"},
			{"EVAL", "redis.setresp(3); return {verbatim_string={format='txt',string='hi'}}", "0"},
			{"EVAL", "return {1,{2,{3,'x',false}},3.9}", "0"},
			{"EVAL", "return redis.error_reply('MY error')", "0"},
			{"EVAL", "return redis.status_reply('fine')", "0"},
			{"EVAL", "redis.setresp(3); return true", "0"},
			{"EVAL", "return string.rep('x',300000)", "0"},
			{"EVAL", "local t={} for i=1,20000 do t[i]=i end return t", "0"},
		},
		"debug protocol": {
			{"DEBUG", "PROTOCOL", "string"},
			{"DEBUG", "PROTOCOL", "integer"},
			{"DEBUG", "PROTOCOL", "double"},
			{"DEBUG", "PROTOCOL", "null"},
			{"DEBUG", "PROTOCOL", "array"},
			{"DEBUG", "PROTOCOL", "set"},
			{"DEBUG", "PROTOCOL", "map"},
			{"DEBUG", "PROTOCOL", "bignum"},
			{"DEBUG", "PROTOCOL", "true"},
			{"DEBUG", "PROTOCOL", "false"},
			{"DEBUG", "PROTOCOL", "verbatim"},
			{"DEBUG", "PROTOCOL", "attrib"},
			{"PING"},
		},
		"streams": {
			{"XADD", "s", "1-1", "a", "1"},
			{"XADD", "s", "1-2", "b", "2"},
			{"XADD", "s", "1-1", "c", "3"},
			{"XGROUP", "CREATE", "s", "g", "0"},
			{"XGROUP", "CREATE", "s", "g", "0"},
			{"XREADGROUP", "GROUP", "g", "me", "COUNT", "1", "STREAMS", "s", ">"},
			{"XREADGROUP", "GROUP", "g", "me", "BLOCK", "10", "STREAMS", "s", ">"},
			{"XREADGROUP", "GROUP", "g", "me", "BLOCK", "10", "STREAMS", "s", ">"},
			{"XREADGROUP", "GROUP", "g", "me", "STREAMS", "s", "0"},
			{"XACK", "s", "g", "1-1"},
			{"XCLAIM", "s", "g", "you", "0", "1-2"},
			{"XAUTOCLAIM", "s", "g", "me", "0", "0"},
			{"XREAD", "STREAMS", "s", "0"},
			{"XREAD", "BLOCK", "10", "STREAMS", "s", "$"},
			{"XINFO", "STREAM", "s"},
			{"XINFO", "GROUPS", "s"},
			{"XRANGE", "s", "-", "+"},
			{"XREVRANGE", "s", "+", "-"},
			{"XLEN", "s"},
			{"XDEL", "s", "1-1"},
			{"XTRIM", "s", "MAXLEN", "0"},
			{"XGROUP", "DESTROY", "s", "g"},
			{"XREADGROUP", "GROUP", "none", "me", "STREAMS", "s", ">"},
		},
		"collections": {
			{"ZADD", "z", "1.5", "a", "2", "b", "inf", "c"},
			{"ZRANGE", "z", "0", "-1", "WITHSCORES"},
			{"ZSCORE", "z", "a"},
			{"ZMSCORE", "z", "a", "none"},
			{"ZINCRBY", "z", "0.25", "a"},
			{"ZADD", "z", "INCR", "1", "a"},
			{"ZPOPMIN", "z"},
			{"BZPOPMIN", "z", "1"},
			{"BZPOPMIN", "none", "0.01"},
			{"ZMPOP", "1", "z", "MAX"},
			{"BZMPOP", "0.01", "1", "z", "MAX"},
			{"SADD", "set", "a"},
			{"SMEMBERS", "set"},
			{"SMISMEMBER", "set", "a", "b"},
			{"HSET", "hash", "f", "1"},
			{"HGETALL", "hash"},
			{"HGETALL", "none"},
			{"HRANDFIELD", "hash", "1", "WITHVALUES"},
			{"RPUSH", "l", "a", "b", "c"},
			{"LMPOP", "1", "l", "LEFT"},
			{"BLMPOP", "0.01", "1", "none", "LEFT"},
			{"BLMOVE", "l", "m", "LEFT", "RIGHT", "0.01"},
			{"LPOS", "l", "none"},
			{"GEOADD", "geo", "13.3", "38.1", "p"},
			{"GEOPOS", "geo", "p", "none"},
			{"SORT", "l"},
			{"LCS", "a", "b", "IDX"},
			{"INCRBYFLOAT", "n", "3.0e3"},
			{"OBJECT", "ENCODING", "l"},
			{"OBJECT", "FREQ", "l"},
		},
		"about the server": {
			{"CONFIG", "GET", "maxmemory"},
			{"COMMAND", "COUNT"},
			{"COMMAND", "INFO", "get", "nope"},
			{"COMMAND", "DOCS", "get"},
			{"COMMAND", "GETKEYS", "mset", "a", "1", "b", "2"},
			{"ACL", "WHOAMI"},
			{"ACL", "CAT", "nope"},
			{"ACL", "GETUSER", "default"},
			{"ACL", "LIST"},
			{"MEMORY", "DOCTOR"},
			{"LATENCY", "DOCTOR"},
			{"LATENCY", "HISTORY", "none"},
			{"ROLE"},
			{"LOLWUT"},
			{"CLUSTER", "INFO"},
			{"MODULE", "LIST"},
			{"SLOWLOG", "LEN"},
			{"WAIT", "0", "0"},
			{"PUBSUB", "SHARDCHANNELS"},
			{"PUBSUB", "SHARDNUMSUB", "a"},
			{"PUBSUB", "HELP"},
			{"SCRIPT", "EXISTS", "x"},
			{"NOPE", "a"},
			{"GET"},
			{"OBJECT"},
			{"OBJECT", "NOPE"},
			{"TIME", "x"},
			{"READONLY"},
			{"ASKING"},
			{"FAILOVER", "ABORT"},
		},
		"transactions": {
			{"MULTI"},
			{"SET", "k", "1"},
			{"INCR", "k"},
			{"LPUSH", "k", "x"},
			{"HGETALL", "none"},
			{"BLPOP", "none", "0"},
			{"EXEC"},
			{"EXEC"},
			{"DISCARD"},
			{"MULTI"},
			{"MULTI"},
			{"NOPE"},
			{"EXEC"},
			{"WATCH", "k"},
			{"MULTI"},
			{"WATCH", "x"},
			{"DISCARD"},
			{"UNWATCH"},
			{"MULTI"},
			{"PING"},
			{"RESET"},
			{"EXEC"},
		},
		"subscriptions": {
			{"SSUBSCRIBE", "a"}, {"SUNSUBSCRIBE", "a"}, {"SUNSUBSCRIBE"}, {"UNSUBSCRIBE"}, {"PUNSUBSCRIBE"}, {"SUBSCRIBE", "c"}, {"PING"}, {"PING", "x"}, {"SPUBLISH", "a", "x"}, {"UNSUBSCRIBE", "c"}, {"GET", "none"}, {"SPUBLISH", "a", "x"},
		},
	}
	for name, commands := range groups {
		for _, proto := range []string{"2", "3"} {
			t.Run(name+", "+proto, func(t *testing.T) {
				args := []string{"--enable-debug-command", "yes"}
				f := start(t, options{redisArgs: args})
				w := start(t, options{redisArgs: args}).redis
				a, b := dial(t, f.addr), dial(t, w.Addr)
				for _, c := range []*client{a, b} {
					c.send(frames("HELLO " + proto))
					c.reply()
				}
				if name == "about the server" {
					commands = append(commands, []string{"HELLO", proto, "NOPE"})
				}
				for _, words := range commands {
					a.send(frame(words...))
					b.send(frame(words...))
					if got, want := a.reply(), b.reply(); got != want {
						t.Errorf("%.100q: got %.300q, want %.300q", strings.Join(words, " "), got, want)
					}
				}
			})
		}
	}
}

// A message of a shard reaches its subscriber in Redis's own bytes, between the replies of others.
func TestShardedMessages(t *testing.T) {
	for _, proto := range []string{"2", "3"} {
		t.Run(proto, func(t *testing.T) {
			f := start(t, options{})
			a, b, pub := dial(t, f.addr), dial(t, f.redis.Addr), dial(t, f.addr)
			for _, c := range []*client{a, b} {
				c.send(frames("HELLO " + proto))
				c.reply()
				c.send(frames("SSUBSCRIBE s"))
				c.reply()
			}
			pub.do(":2\r\n", "SPUBLISH s hello")
			if got, want := a.reply(), b.reply(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
