package config

import "fmt"

// rules judges what a route demands of its values, by itself and beside the route's form.
func (v *validator) rules(r *Route, path string) {
	d := r.Validate
	if d == nil {
		return
	}
	for _, f := range d.fields(path) {
		if f.val.show() != "" { // of a Config made in code, as of one loaded, "" is the default
			v.bounds(f)
		}
	}
	if d.MaxBytes > 0 && d.MaxBytes < d.MinBytes {
		v.fail(path+".max_bytes", formatSize(d.MaxBytes), fmt.Sprintf("want no less than min_bytes, %s", formatSize(d.MinBytes)))
	}
	rejects, policy := d.Pickle == PickleReject, d.Pickle != "" && d.Pickle != PickleOff
	encoded := ""
	if r.Encode != nil {
		encoded = r.Encode.Format
	}
	switch {
	case len(r.Hash) > 0:
		v.fail(path, "", "want none beside hash: the values of a hash route are not checked")
		return
	case policy && d.Format == FormatNPY:
		v.fail(path+".pickle", d.Pickle, "want off with format npy: its values are no pickles")
	case policy && encoded == FormatNPY:
		v.fail(path+".pickle", d.Pickle, "want off beside encode npy: its values are no pickles")
	case r.Object != nil && rejects:
		v.fail(path+".pickle", d.Pickle, "want off or log beside object: the policy needs the whole value, and an object is checked by its beginning")
	}
	if encoded != "" && encoded != d.Format && d.Format != "" && d.Format != FormatAny {
		v.fail(path+".format", d.Format, "want any or "+encoded+" beside encode "+encoded)
	}
	switch {
	case d.Checksum == "":
	case r.Object != nil:
		v.fail(path+".checksum", clip(d.Checksum), "want none beside object: an object's own checksum is always compared")
	case encoded != "":
		v.fail(path+".checksum", clip(d.Checksum), "want none beside encode: the checksum is that of a column's bytes as stored")
	case d.Checksum == r.Value:
		v.fail(path+".checksum", clip(d.Checksum), "want another column than the value itself")
	}
}
