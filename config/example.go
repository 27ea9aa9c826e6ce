package config

import (
	"fmt"
	"strings"
)

// exampleHead explains the file.
const exampleHead = `# Forebay's configuration. Every value here is the default: a file needs only what it changes.
#
# A flag (--redis.address) wins over a variable (FOREBAY_REDIS_ADDRESS), a variable over this file.
# Lists are comma-separated in both; routes are set here only. An empty variable counts as not set.
# Durations: 250ms, 5s, 1h30m, 7d. Sizes: 64KiB, 256MiB, 1GB, or plain bytes. Parts: 10% or 0.1.
# Paths are relative to the working directory.
`

// exampleRoutes is YAML behind "#", to be uncommented. It holds every form of a route.
const exampleRoutes = `routes:
#  - name: mnist
#    key: "mnist:{split:train|test}:{idx:int}"
#    db: 0
#    table: samples
#    where: {dataset: mnist, split: "{split}", shard: "{idx / 1024}", idx: "{idx}"}
#    value: data
#    encode: raw
#    validate: {min_bytes: 1, max_bytes: 64KiB, format: pickle, pickle: reject, checksum: crc32c}
#    ttl: {after: 1h, refresh_ahead: 5m, stale_while_revalidate: 1m, stale_if_error: 30m}
#    read_ahead: partition
#    read_ahead_bytes: 8MiB
#  - name: mnist-npy
#    key: "mnist:{split:train|test}:{idx:int}:npy"
#    table: images
#    where: {split: "{split}", id: "{idx}"}
#    encode: {npy: {column: pixels, dtype: uint8, shape: [28, 28]}}
#  - name: mnist-pickled
#    key: "mnist:{split:train|test}:{idx:int}:sample"
#    table: images
#    where: {split: "{split}", id: "{idx}"}
#    encode: {pickle: {image: {column: pixels, dtype: uint8, shape: [28, 28]}, label: {column: label}}}
#  - name: newest-labels
#    key: "labels:{day}"
#    cql: "SELECT labels FROM ml.labels_by_day WHERE day = :day LIMIT 1"
#    value: labels
#  - name: mnist-whole
#    key: "mnist:{split:train|test}:images"
#    object: {dataset: mnist, name: "{split}-images"}
#    ttl: 6h
#    absent_ttl: 1s
#    after_use: keep
#  - name: user-features
#    key: "user:{id:int}:features"
#    table: features.users
#    where: {user_id: "{id}"}
#    hash: [age, country, embedding]
#    ttl: {after: 15m, sliding: true}
`

// Example returns a commented YAML file that loads and changes nothing: it describes every field with its unit, bounds and
// default.
func Example() []byte {
	var w outline
	w.WriteString(exampleHead)
	for _, f := range Default().fields() {
		if !strings.Contains(f.path, ".") {
			w.WriteByte('\n')
		}
		w.open(f.path, func(s section) {
			if !strings.Contains(s.path, ".") {
				w.WriteByte('\n')
			}
			w.remark(s.path, s.doc)
		})
		w.remark(f.path, sentence(f))
		w.field(f.path, f.val.show(), "")
	}
	w.WriteByte('\n')
	w.remark("", "Routes: which keys are read through, and from where. A key that matches none is simply forwarded to Redis. Of each:")
	for _, f := range routeReference() {
		w.remark("", "- "+f[0]+": "+f[1])
	}
	w.remark("", `For example, without the "#":`)
	w.WriteString(exampleRoutes)
	return []byte(w.String())
}

// sentence describes a field with what it accepts.
func sentence(f field) string {
	if b := f.val.bound(); b != "" {
		return f.doc + " Accepts " + b + "."
	}
	return f.doc
}

// routeReference describes each key of a route, in the order in which people write them.
func routeReference() [][2]string {
	var rows [][2]string
	for _, f := range new(Route).fields("") {
		key, doc := f.path[1:], sentence(f)
		rows = append(rows, [2]string{key, doc})
		switch key {
		case "hash":
			rows = append(rows, [2]string{"validate", validateDoc})
		case "table":
			rows = append(rows, [2]string{"where", "The row: a value for the whole partition key and for leading clustering columns. {part} is a part of the key, {part / 1024} an expression over one."})
		case "value":
			rows = append(rows,
				[2]string{"encode", fmt.Sprintf("Instead of value: raw (the default) is the bytes as stored; npy: {column, dtype, shape} a NumPy file; pickle: {column, dtype, shape} one array or scalar, or a dict of them by name. dtype is NumPy's name, as uint8 or <f4, needed for arrays; shape has 1 to %d dimensions, one of them may be -1; without it there is one.", maxDims)},
				[2]string{"object", "Instead of table: {dataset, name} of one large value that `forebay load --object` stored in chunks. Up to 512 MiB."},
			)
		}
	}
	return rows
}

// validateDoc describes what a route may demand of its values.
const validateDoc = "What values must be, in Redis and in the source; one that is not is loaded anew, once, and else an error. min_bytes and max_bytes: its length, as 4KiB; 0, the default, " +
	"is no bound. format: any (the default), pickle or npy: the bytes are one whole file of that kind. pickle: off (the default), log or reject: what becomes of a pickle that asks for " +
	"more than data and NumPy arrays. checksum: with value, the column that holds the CRC32C of the value's bytes, as `forebay load` stores it. Not on hash routes; object routes " +
	"take lengths and format, and no reject."

// width is the column at which comments wrap.
const width = 100

// remark writes text as comment lines at the depth of path.
func (w *outline) remark(path, text string) {
	depth := 2 * strings.Count(path, ".")
	line := ""
	flush := func() {
		w.indent(path)
		w.WriteString("#" + line + "\n")
		line = ""
	}
	for word := range strings.FieldsSeq(text) {
		if line != "" && depth+1+len(line)+1+len(word) > width {
			flush()
		}
		line += " " + word
	}
	flush()
}
