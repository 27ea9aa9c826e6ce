package route

import "fmt"

// Key makes the key whose parts have these values. A part that is missing, unknown, or not of its type is an error.
func (r *Route) Key(values map[string]string) ([]byte, error) {
	key := []byte(r.key.prefix)
	for i := range r.key.parts {
		p := &r.key.parts[i]
		v, ok := values[p.name]
		if !ok {
			return nil, fmt.Errorf("make a key of route %s: part %s has no value", r.Name, p.name)
		}
		key = append(append(key, v...), p.after...)
	}
	for name := range values {
		if r.key.part(name) < 0 {
			return nil, fmt.Errorf("make a key of route %s: it has no part %.64q", r.Name, name)
		}
	}
	var spans [MaxParts]span
	if !r.key.match(key, &spans) {
		return nil, fmt.Errorf("make a key of route %s: %.128q does not match %s", r.Name, key, r.Pattern())
	}
	return key, nil
}
