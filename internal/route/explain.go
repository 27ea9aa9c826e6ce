package route

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrUnrouted means that no route serves a key: it is simply forwarded.
var ErrUnrouted = errors.New("no route matches")

// Explain tells an operator which route serves a key, with its parts and its query, a line each. Values appear in the text as the source's
// query language writes them; the query itself binds them. If the table is not bound, the types are guessed and it says so.
// The error wraps [ErrUnrouted] and tells how near each route came.
func (t *Table) Explain(db int, key []byte) (string, error) {
	var m Match
	if !t.Match(db, key, &m) {
		return "", t.nearMisses(db, key)
	}
	r := m.Route
	var b strings.Builder
	fmt.Fprintf(&b, "key    %s\n", show(key))
	fmt.Fprintf(&b, "route  %s: %s (db %d)\n", r.Name, r.spec.Key, r.DB)
	for i := range r.key.parts {
		fmt.Fprintf(&b, "part   %s = %s (%s)\n", r.key.parts[i].name, show(m.bytes(i, key)), r.key.parts[i].kind)
	}
	l := r.Lookup(&m, key)
	r.explainQuery(&b, l, &m, key)
	r.explainRules(&b)
	fmt.Fprintf(&b, "ttl    %s", r.TTL)
	if r.Jitter > 0 {
		fmt.Fprintf(&b, ", up to %v%% shorter", strconv.FormatFloat(r.Jitter*100, 'g', 4, 64))
	}
	r.explainAges(&b)
	b.WriteByte('\n')
	if r.AbsentTTL > 0 {
		fmt.Fprintf(&b, "absent remembered for %v\n", r.AbsentTTL)
	}
	return b.String(), nil
}

// explainQuery writes the query's text and what is particular about it.
func (r *Route) explainQuery(b *strings.Builder, l Lookup, m *Match, key []byte) {
	value := func(i int) string {
		if l.Select != nil {
			if i < len(l.Where) {
				return literal(l.Where[i])
			}
			return literal(l.In)
		}
		s, _ := r.binds[i].expr.text(m, key)
		if t, one := r.binds[i].expr.single(); one && r.key.parts[t.part].kind == integer {
			return s
		}
		return literal(s)
	}
	names := make([]string, 0, len(r.binds))
	if l.Select != nil {
		names = append(names, l.Select.Where...)
		if l.Select.In != "" {
			names = append(names, l.Select.In)
		}
	} else {
		for i := range r.binds {
			names = append(names, r.binds[i].column)
		}
	}
	if r.spec.CQL != "" {
		fmt.Fprintf(b, "query  %s\n", r.spec.CQL)
		for i, n := range names {
			fmt.Fprintf(b, "bind   :%s = %s\n", n, value(i))
		}
	} else {
		fmt.Fprintf(b, "query  SELECT %s FROM %s WHERE ", strings.Join(r.columns(), ", "), r.tableName())
		for i, n := range names {
			if i > 0 {
				b.WriteString(" AND ")
			}
			fmt.Fprintf(b, "%s = %s", n, value(i))
		}
		b.WriteByte('\n')
	}
	if r.IsObject() {
		r.explainObject(b)
	}
	switch {
	case l.Select == nil:
		b.WriteString("note   not checked against the source\n")
	case l.Absent:
		b.WriteString("note   no row can have this key: a value is beyond its column's type; answered as absent\n")
	case l.Select.In != "":
		fmt.Fprintf(b, "note   misses that differ only in %s are loaded together\n", l.Select.In)
	}
	if n := r.spec.ReadAhead; n > 0 {
		fmt.Fprintf(b, "note   a miss loads the rest of its partition too, up to %d bytes\n", n)
	}
}

// explainAges writes what becomes of values around the end of their TTL.
func (r *Route) explainAges(b *strings.Builder) {
	if r.spec.Sliding {
		b.WriteString("; extended by reads")
	}
	if d := r.spec.RefreshAhead; d > 0 {
		fmt.Fprintf(b, "; refreshed %v ahead", d)
	}
	if d := r.spec.StaleWhileRevalidate; d > 0 {
		fmt.Fprintf(b, "; stale for %v while revalidated", d)
	}
	if d := r.spec.StaleIfError; d > 0 {
		fmt.Fprintf(b, "; stale for %v if the source fails", d)
	}
}

// literal writes a bound value as CQL does.
func literal(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if isUUID([]byte(v)) {
			return v
		}
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case []byte:
		return "0x" + hex.EncodeToString(v)
	case time.Time:
		return "'" + v.UTC().Format("2006-01-02T15:04:05.000Z") + "'"
	default:
		return fmt.Sprint(v)
	}
}

// show writes a key or a part of one: as it is if that is readable, cut if it is long.
func show(b []byte) string {
	const most = 200
	cut := ""
	if n := len(b); n > most {
		b, cut = b[:most], fmt.Sprintf("… (%d bytes)", n)
	}
	q := strconv.Quote(string(b))
	if q == `"`+string(b)+`"` && len(b) > 0 && strings.IndexByte(string(b), ' ') < 0 {
		q = string(b)
	}
	return q + cut
}

// nearMisses is the error for a key that no route matches.
func (t *Table) nearMisses(db int, key []byte) error {
	var b strings.Builder
	for _, r := range t.routes {
		why := ""
		switch {
		case r.DB != db:
			var spans [MaxParts]span
			if r.key.match(key, &spans) {
				why = fmt.Sprintf("would match in database %d", r.DB)
			}
		default:
			why = r.key.explain(key)
		}
		if why != "" {
			fmt.Fprintf(&b, "\n  %s (%s): %s", r.Name, r.spec.Key, why)
		}
	}
	if b.Len() == 0 {
		b.WriteString("\n  no route's literal prefix begins this key")
	}
	return fmt.Errorf("explain key %s in database %d: %w; it is forwarded to Redis as it is%s", show(key), db, ErrUnrouted, b.String())
}

// explain tells why the key does not match, or "" if not even its literal prefix does.
func (p *pattern) explain(key []byte) string {
	if !hasPrefix(key, p.prefix) {
		return ""
	}
	if len(p.parts) == 0 {
		return fmt.Sprintf("the key goes on after %s", show([]byte(p.prefix)))
	}
	at := len(p.prefix)
	for i := range p.parts {
		pt := &p.parts[i]
		b := key[at:]
		if i == len(p.parts)-1 {
			if pt.after != "" && !hasSuffix(b, pt.after) {
				return fmt.Sprintf("the key does not end in %s", show([]byte(pt.after)))
			}
			return pt.why(b[:len(b)-len(pt.after)])
		}
		n := pt.end(b)
		if n < 0 {
			stop := index(b, pt.after)
			if stop < 0 {
				return fmt.Sprintf("%s: no %s follows it", pt.name, show([]byte(pt.after)))
			}
			return pt.why(b[:stop])
		}
		at += n + len(pt.after)
	}
	return ""
}

// why tells why b is no spelling of the part.
func (p *part) why(b []byte) string {
	s := show(b)
	if len(b) == 0 {
		return fmt.Sprintf("%s: is empty", p.name)
	}
	switch p.kind {
	case text:
		return fmt.Sprintf("%s: %s holds a \":\", which text does not; {%s:rest} would take it", p.name, s, p.name)
	case integer:
		if v, err := strconv.ParseInt(string(b), 10, 64); err == nil {
			return fmt.Sprintf("%s: %s is not the canonical spelling of an int (%d is)", p.name, s, v)
		} else if errors.Is(err, strconv.ErrRange) {
			return fmt.Sprintf("%s: %s does not fit 64 bits", p.name, s)
		}
		return fmt.Sprintf("%s: %s is no int", p.name, s)
	case uuid:
		if isUUID([]byte(strings.ToLower(string(b)))) {
			return fmt.Sprintf("%s: %s is not the canonical spelling of a uuid (lower-case is)", p.name, s)
		}
		return fmt.Sprintf("%s: %s is no uuid", p.name, s)
	case hexa:
		return fmt.Sprintf("%s: %s is not lower-case hexadecimal digits", p.name, s)
	case oneOf:
		return fmt.Sprintf("%s: %s is none of %s", p.name, s, strings.Join(p.alts, ", "))
	default:
		return fmt.Sprintf("%s: %s does not fit", p.name, s)
	}
}
