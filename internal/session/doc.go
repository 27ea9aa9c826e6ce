// Package session follows training sessions, and gives back what they filled when they end.
//
// A session is a client's name (CLIENT SETNAME, HELLO … SETNAME): every connection of that name, on every proxy that
// shares the Redis, belongs to it. The life of a session on one proxy:
//
//  1. The front tells [Manager.Open] and [Manager.Close] of each connection's name.
//  2. [Manager.Observe] sees each read, as one more observer of the event pipeline: no client waits for it. It counts, and adds the key's
//     64-bit hash to the set of keys that the session claims. The sets are bounded ([Options.MaxClaims], [Options.MaxBytes]).
//  3. [Manager.Run] tells Redis once every [Options.Every], in one round trip, what is new: statistics, claims, and that the session is alive.
//     The session's end moves with it.
//  4. When nobody has told of a connection for [Options.Grace], or by [Manager.End], it ends: one proxy closes it and releases its keys.
//  5. Of the keys that Forebay filled for a named session (backend.Entry.Track) those are removed that this session claims, no other
//     live one claims, and that hold the very value that was filled (backend.Sessions.Release). Everything else stays.
//
// Unnamed clients are no session: they cause no release, and what is filled for them is nobody's to give back.
//
// # What errs on which side
//
// Everything that is not known for certain keeps keys; they go by their TTL.
//
//   - A session with too many keys claims no more: its further keys stay at its end. While it lives it counts as claiming every key of
//     that database, so nothing is taken from it.
//   - A live session whose claims are not all in Redis (evicted, lost) counts likewise.
//   - Two keys of one hash: one is kept for the other. At 4 million claims the chance that a given key is kept so is 2e-13.
//   - A client that writes a key, by whichever way, keeps it. Only who writes exactly what Forebay had filled is not noticed.
//   - The other way there is one gap: a key that another session reads for the first time while it is being released may
//     go, and costs that session one load. What it read before the end counts: the release waits until every proxy has told.
//
// # Races between proxies
//
// A session has an ID while it lives. It is what keeps an old session's end from touching a new one of the same name:
//
//  1. Proxy A closes session "run" (ID 1): in one script, it is no longer live and its claims are set apart under 1.
//  2. Proxy B, whose clients of that name read on, tells of ID 1: the script finds none, begins ID 2 and takes none of the claims.
//  3. B learns the new ID, and forgets its set: what is read from now on is claimed anew.
//
// Several proxies that want to end a session: the script of step 1 succeeds once. Its caller holds a lease on the release and renews it with
// each batch; when it dies, the lease ends and another takes over ([Manager.Run]). Both at work for a moment do no harm: each removal is
// guarded by itself, and only who holds the lease finishes and records the event.
//
// While Redis is down nothing is told and nothing ends; sets and counts wait, within the same bounds.
package session
