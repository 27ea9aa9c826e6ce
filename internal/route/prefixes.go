package route

// Prefixes are the literal beginnings of the routes' keys, in file order; of all databases. A key without any of them belongs to no route; an empty one
// means that any key may. They may repeat and overlap.
func (t *Table) Prefixes() []string {
	out := make([]string, len(t.routes))
	for i, r := range t.routes {
		out[i] = r.key.prefix
	}
	return out
}
