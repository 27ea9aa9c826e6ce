// Package difftest finds where Forebay differs from Redis: it plays one random stream of commands to two servers and compares what they
// answer, byte for byte.
//
// # The path of a stream
//
//  1. [Generate] makes a [Stream] from a seed: commands of several clients, each with keys, channels and databases of its own, so that what
//     a client is answered does not depend on how the clients' commands interleave. The commands are templates (commands.txt).
//  2. [Run] plays it to a server. Between two barriers every client sends what it has as one pipeline, cut into pieces at random places, while
//     it reads the replies; the clients do so at once.
//  3. [Compare] compares the [Transcript]s of two servers, reply for reply. What Redis leaves open (the order of a set's members, the
//     remaining time) is normalised by the command that asked.
//  4. [Shrink] removes steps as long as the difference stays. What is left is printed as text that [Parse] reads: kept in testdata, it is a
//     test from then on.
//
// # What a stream must keep to
//
// A reply must depend on its client's own commands alone. So ids, clocks, cursors, memory and the figures of the server are left out, and what
// concerns everybody (FLUSHALL, SWAPDB, KEYS *, RANDOMKEY) is for streams of one client. A message to another client's channel stands between
// barriers. Messages are compared apart from replies: their place among replies is the network's.
package difftest
