package config

import (
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

// leaves gathers the fields that the file can set, by address, with their Go path.
func leaves(v reflect.Value, path string, into map[unsafe.Pointer]string) {
	for f, sub := range v.Fields() {
		name := path + "." + f.Name
		switch {
		case !f.IsExported() || name == ".Routes" || name == ".Warnings":
		case f.Type.Kind() == reflect.Struct:
			leaves(sub, name, into)
		default:
			into[sub.Addr().UnsafePointer()] = name
		}
	}
}

// Every field of Config is in the table once, under its own name: a row that points at another field would set that one.
func TestTableHoldsEveryFieldOnce(t *testing.T) {
	c := Default()
	rest := make(map[unsafe.Pointer]string)
	leaves(reflect.ValueOf(c).Elem(), "", rest)
	variables := make(map[string]string)
	for _, f := range c.fields() {
		p := reflect.ValueOf(f.val).FieldByName("p").UnsafePointer()
		want := strings.ToLower(strings.ReplaceAll(f.path, "_", ""))
		if got := strings.ToLower(strings.TrimPrefix(rest[p], ".")); got != want {
			t.Errorf("%s sets %q", f.path, got)
		}
		delete(rest, p)
		if other, ok := variables[f.env()]; ok || kubernetes(f.env()) {
			t.Errorf("%s: the variable %s is taken %s", f.path, f.env(), other)
		}
		variables[f.env()] = f.path
	}
	for _, name := range rest {
		t.Errorf("%s is in no row", name)
	}
	// Every section that a path names is described, and none else.
	named := make(map[string]bool)
	for _, f := range c.fields() {
		for path := f.path; strings.Contains(path, "."); {
			path = path[:strings.LastIndexByte(path, '.')]
			named[path] = true
		}
	}
	for _, s := range sections() {
		if !named[s.path] {
			t.Errorf("section %s has no field", s.path)
		}
		delete(named, s.path)
	}
	if len(named) > 0 {
		t.Errorf("sections not described: %v", named)
	}
}
