// Package near keeps copies of values of Redis in this process's memory, and knows when they may be given out.
//
//	GET ─► Token ─► Get ── hit ──────────────────────────► reply, ready to be sent
//	                 └ miss ─► Redis ─► Offer ── admitted ─► PTTL, by the tracking connection ─► insert, if the Token still holds
//	write ─► Fence ─► Redis ─► Unfence                       invalidations, by the same connection ─► drop
//
// A copy is given out only while all of these hold:
//
//   - a PING that was sent within the last second was answered on the tracking connection;
//   - nothing was flushed, and the tracking not lost, since the value was asked for (the epoch);
//   - nobody's write of its key has been on its way through this process since it was asked for (the fences, which remove it);
//   - the time is not past what Redis said the key had left.
//
// # State of a key
//
// Each key has a word by its hash, of 64 Ki words: a generation in the upper bits and in the lower 24 the number of
// fences now up. All keys together have one more, the epoch. A [Token] is both words as they were when the value was asked for. An insert
// compares them with the present ones, in the function of the store that holds the lock of the entry's place; whoever
// raises a word removes the entry afterwards, under the same lock. So one of both sees the other. Keys that share a word share its trouble: a
// copy too few, never one too many. An entry remembers the epoch, and is worth nothing in another one: nothing has to be removed in haste.
//
// # Interleavings
//
// A is a client here, F somebody who writes straight to Redis. The stream is what comes on the tracking connection.
//
//  1. F writes between A's GET and the PTTL. (1) A takes a token. (2) Redis answers A's GET with v1. (3) F writes v2; the invalidation goes into
//     the stream. (4) Offer(v1), PTTL. (5) The stream has the invalidation before PTTL's answer: the generation is raised. (6) The answer
//     comes, the token does not hold, nothing is inserted.
//  2. F writes just before the PTTL. Redis sends invalidations at the end of a round of its event loop. (1) In one round F writes v2 and PTTL is
//     answered. (2) The stream has the answer first: v1 is inserted. (3) The invalidation, written with it, drops v1. Between (2) and (3) v1 is as old as any copy whose
//     invalidation is on its way. That nobody who has read v2 here reads v1 again is 3.
//  3. A newer value is seen before its invalidation. (1) v1 is in the store, or waits for its PTTL. (2) F writes v2. (3) B's GET, forwarded for whatever
//     reason, is answered with v2. (4) Offer(v2) precedes B's reply to B. It finds a v1 that waits and voids it, then whatever the
//     store has of the key and is not v2, and drops it. (5) B's next GET goes to Redis. A v1 that is offered after (4) asks its PTTL after F's write was
//     made known: that is 1.
//  4. F writes after the PTTL. The invalidation comes after the answer, and drops what that had inserted.
//  5. The connection is lost in between. (1) A's token. (2) Lost raises the epoch. (3) F writes: nobody is told. (4) Tracking raises the epoch again. (5) A's
//     Offer(v1) finds neither epoch its own. A token taken between (2) and (4) does not hold either: F may have written after A's GET.
//  6. An own client writes in between. (1) A's token and GET: v1. (2) B's SET: Fence raises the generation and drops. (3) Offer(v1) or its insert: the token
//     does not hold, before Unfence since a fence is up, after it since the generation is another.
//  7. A token is taken while a fence is up. It never holds: A's GET may have been answered before the write.
//  8. Insert and Fence at the same moment. (1) The insert, under the lock, finds its token good. (2) Fence raises the generation. (3) Fence waits for the lock
//     to remove the entry. (4) The insert is done. (5) Fence removes it. With (2) before (1) nothing is inserted.
//  9. Get and Fence at the same moment. (1) Get finds the entry. (2) B's Fence; B's write is forwarded. (3) Get returns the old value. A's GET had begun before B's
//     write was acknowledged: either order is a right one.
//  10. This process stands still. (1) It is stopped for a minute; F writes. (2) It goes on. (3) Get finds the last answered PING too old: a miss. The PING's
//     successor is answered behind the invalidations.
//  11. Insert and flush at the same moment. (1) The insert finds its token good. (2) FenceAll raises the epoch and finds nothing to remove. (3) The insert is done.
//     (4) UnfenceAll. The entry is there, but of its token's epoch: Get does not take it.
//
// # Bounds
//
// Bytes count keys, values and what an entry costs besides. What waits for its PTTL has 8 MiB, or one larger value. The words take 512 KiB, the
// memory of keys seen once 1/32 of the budget and 2 MiB at most.
//
// SWAPDB by somebody straight at Redis is not told to anybody: what it exchanged may be given out until its TTL or [MaxAge] is over.
package near
