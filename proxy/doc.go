// Package proxy is the RESP front: it accepts clients and gives each of their commands the path that it needs. A client sees a Redis; a key
// that has a route and is not cached is loaded on the way.
//
// # The life of a GET
//
//  1. The client's goroutine (session.serve) waits for its socket without holding a buffer. What arrives is read into one from a pool.
//  2. The framer follows the frame's headers as its bytes come, bounds counts and sizes before any room is made, and says when the frame is
//     whole. redcon's codec then splits it into words that alias the buffer.
//  3. The command table (commands.txt, and what [Server.Learn] added) says which path it takes. A GET is of the class shared: it goes up on
//     the one connection to Redis that every client of the same user, database and protocol uses.
//  4. session.read1 matches the key with the routes and pushes a slot on the client's FIFO: what is awaited, the key, its route and when the
//     command came. From here on the order of this client's replies is fixed.
//  5. The frame's own bytes join the batch. At the end of what was read, or when something must come first, the batch is submitted in
//     one piece to a [wire.Conn], which lets other clients' bytes join before it writes.
//  6. The connection's reader finds where Redis's replies end and gives them to session.Replies, which gives each to the oldest
//     slot that awaits one.
//  7. A value is a hit: its bytes pass to the client's output as they are. So does an error. A null without a route is a miss that nobody
//     can help, and passes too.
//  8. A null with a route is loaded: the slot is marked, and all that one batch of replies lacked goes to [cache.Engine.Read] together, on a
//     goroutine of its own. That looks in Redis once more, asks the source, stores the value (SET NX PX) and returns it, or an
//     error that errorReply words. A failed load is never a null.
//  9. The slot is ready. Only the head of the FIFO is written; slots behind it keep their bytes until it is their turn.
//     One event is recorded for each key read, and the command is counted.
//  10. Flush writes what is ready without blocking. What the socket does not take is left to a writer of the client's own, so that a
//     slow client never holds up the connection that it shares.
//
// A GET whose key was seen to be large goes on a connection of the client's own and is streamed. While Redis is known to be down, a
// client that may read every key skips 5 to 7. A GET that Redis owes for longer than [Options].StoreBudget is loaded, and the late
// reply is thrown away (session.Stalled).
//
// What Redis itself must find (needs.go: a part of a value is changed, a script declares the key) is loaded before the command is sent
// (session.ensure), and for a transaction before EXEC (session.plan), but for one that only reads: its reply is patched like an MGET's.
//
// # Invariants
//
//   - Replies leave in the order of the client's commands, whatever answers them: Redis, a load, or this package.
//   - A command that may write is not sent while a routed read of the same client and key is unresolved, nor while a load of that key
//     could store its value behind it (session.fence, [cache.Engine.Fence]; both walk the interleavings).
//   - A client changes its connection only when nothing is owed to it on the old one.
//   - What writes is sent once. When its connection breaks after a byte of it may have left, its client is closed.
//   - A session's goroutine, the readers that bring its replies, its loads and its writer all work under session.mu, which is never held
//     over a system call that may block, a dial or a load.
//   - What a client can make the process hold is bounded by [Limits] and by the constants streamAt, gatherTx, gatherMax and maxInline.
package proxy
