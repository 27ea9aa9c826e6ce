// Package cache is the read-through engine: it turns keys that Redis does not hold into values of the source, and stores them.
//
// The life of a miss:
//
//  1. [Engine.Read] is asked for keys that a reader found absent. Each key joins the flight that is loading it, or begins one.
//  2. The keys that begin a flight are looked up in Redis once more, in one round trip: a flight may have ended between the
//     reader's look and now, and its value must not be loaded a second time. What is found is for those who came before
//     that look was sent; if others have joined since, one more look serves them all.
//  3. What is still absent is loaded: one query for all keys of one partition, the queries of different partitions at once. While one of
//     a partition is under way, the misses of other requests gather behind it and go out together (gather.go).
//     A route may read the rest of the partition ahead (ahead.go).
//  4. Each flight is sealed: who comes later begins another. Then the values are stored in Redis (SET NX PX), in one round trip.
//  5. Whoever waited gets the value. If Redis did not store it because another value was there, nobody gets it: all look again.
//
// An object, one large value in chunk rows, takes another way from 2 on: a goroutine of its own streams it to a stage in Redis, and readers are
// told to look there (object.go).
//
// Invariants:
//   - One flight a key (and database) at a time.
//   - A write of a client passes [Engine.Fence] before it is forwarded, so that no value loaded before the write is
//     stored after it by this process (flight.go walks the interleavings). Other processes' fills are bounded by the TTL.
//   - Everything is bounded by the budget of its request; a flight by the engine's own budget, as its waiters come and go; that
//     of an object by its size.
//   - A failed load is an error for every waiter, never an absence.
package cache
