// Package wire is the raw path to Redis: connections whose bytes belong to clients, shared by many of them.
//
// A command's own bytes go up and the reply's own bytes come back; nothing is decoded between. The data path:
//
//  1. A client's goroutine calls [Conn.Submit] with whole commands. They are appended to the connection's
//     buffer and a FIFO entry says who awaits how many replies.
//  2. If nobody is writing, that goroutine becomes the writer: it yields once, so that other clients can append too, and
//     writes everything in one system call. (The yield was worth 1.5 times at one command in flight a client.)
//  3. The connection's one reader goroutine finds where replies end ([Scanner]), gives each run of them to its
//     [Receiver], and then flushes each receiver once.
//
// Invariants:
//   - Replies of a connection are given in the order of its commands; an entry is pushed in the same critical section in which its
//     bytes are appended.
//   - On a shared connection a receiver never blocks the reader, with one exception: before a reply is streamed the connection is
//     retired, so that it takes no new commands and only what was already asked waits.
//   - A connection that broke tells every receiver how many replies it will not get and whether a byte of their commands had left.
//   - Nothing is closed because it is silent: only what is known to be dead (stranded.go), or while Redis answers nobody ([Options.Down]).
//   - Memory: the write buffer is bounded by [Options.WriteBuffer] (submitters wait), the read buffer by [StreamAt] plus one read.
package wire
