// Package backendtest holds every [backend.Source] to one contract.
//
// [Source] runs on a table of the samples schema, ((dataset text, split text, shard), idx, data blob, label, crc32c), where
// shard and idx are integers of any width. [Kinds] is for sources that can hold a column of every type.
//
// A driver's own test opens it over known rows and hands both over:
//
//	backendtest.Source(t, func(t *testing.T) backendtest.Fixture {
//		return backendtest.Fixture{Source: open(t), Table: "samples", Rows: rows, CQL: true}
//	})
package backendtest
