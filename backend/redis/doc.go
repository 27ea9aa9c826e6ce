// Package redis is Forebay's own user of Redis, on go-redis: what is asked for Forebay itself and not for a client.
// The clients' own commands take another path, raw and shared, and never come here.
//
//	Open ─► Client ─┬─ Get, Fill          one small pool a database; the [backend.Store] of the read-through engine
//	                ├─ Up, OnChange       a prober on its own connection
//	                ├─ Facts, Memory      INFO and CONFIG, as far as the server tells
//	                ├─ Commands           COMMAND, parsed for the proxy's command table
//	                ├─ Tracker            invalidations and TTLs in one order, for the near copy; its own raw connection
//	                ├─ Readable,          ACL, for near hits and for HTTP
//	                │  Users, Authenticate
//	                └─ Watch ─► Watcher   keyspace notifications to events, proved against the server's counters
//
// Invariants:
//
//   - Nothing that writes is sent twice: go-redis's retries are off everywhere. Only Get asks again, once.
//   - A call ends by its context's deadline or the client's timeout, whichever is first.
//   - A server that is down is an ordinary state: Open never fails for it, every error for it wraps
//     [backend.ErrStoreDown], and the client recovers alone within one probe.
//   - A value never goes to another database than its own: each database has its own pool, so no SELECT is ever
//     sent beside a command whose meaning depends on it.
//   - Every goroutine started here is waited for by Close.
package redis
