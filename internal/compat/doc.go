// Package compat asks whether a client can tell Forebay from Redis. It runs programs twice, straight to a redis-server and
// through a Forebay in front of another one of the same kind, and compares.
//
// The programs are of two sorts. [Suite] is redis-py's own tests, in RESP2 and RESP3: each file runs on both sides at once, each side with
// servers of its own that are started for it; a test that did not pass on both sides is run again, alone, on both before it is
// judged ([Compare]). What may differ is in pytest/expected.txt, and nowhere else. [Clients] is one program for each of node-redis,
// ioredis, Jedis and go-redis, whose output must be the same bytes on both sides, though only one of them finds its data loaded from the source.
//
// What is needed is fetched once, pinned, into the cache folder of package testkit: the sdist of redis-py, which
// holds its tests, by pip; node and its packages by pip and npm; Jedis, and a compiler for its program, by Maven.
//
// Every process dies with this one (package daemon). A suite that was interrupted goes on where it stopped: results are kept by
// file, side and protocol until a whole run has been judged, and only for the same Forebay, Redis and tests.
package compat
