// Package embedded is what Forebay runs on when nobody has configured anything: a private Redis, the bundled digits as
// the source of rows, and the routes between them.
//
// [StartRedis] starts a redis-server of its own on a Unix socket, or, on a machine that has none, an in-memory stand-in inside
// this process; [Redis.Limits] says what the stand-in cannot do. [Digits] is a [backend.Source] over data compiled into
// the binary, with the schema that "forebay load" writes. [DefaultRoutes] turns its rows into pickled samples and NPY images.
//
// Invariants: the address of a Redis never changes while it runs, also when its process dies and is started again; after
// [Redis.Close] neither process, goroutine nor file of it is left; the rows are never written to.
package embedded
