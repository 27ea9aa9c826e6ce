// Package metric counts what Forebay does and shows the counts: to Prometheus, and as a [Snapshot] to the
// statistics page.
//
// There are two ways in, by how often they are used:
//
//   - [Shard.Observe], once a command: two atomic adds into one of a fixed set of shards.
//   - [Metrics.Observe], once an event: what was read, loaded, filled and evicted, by route. The routes are known
//     at start, so a count is an array element, found by one lookup of the route's name.
//
// Nothing on either way allocates, takes a lock or builds a label; labels are put on when Prometheus asks.
// Labels are route names, command names and words from fixed lists: never a key, a client or an error's text.
//
// Counters only rise and are never reset. A scrape reads them one by one while they move, so the sum of one family may
// be ahead of another by what happened in between.
package metric
