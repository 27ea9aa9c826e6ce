package main

import (
	"fmt"
	"reflect"
	"strings"

	"forebay/config"
)

// fieldFlags are the configuration's fields as flags. kong reads flags off a struct type, so one is made of them.
type fieldFlags struct {
	fields []config.Field
	values reflect.Value // pointer to a struct with a *string for each field, in their order
}

func newFieldFlags(fields []config.Field) *fieldFlags {
	members := make([]reflect.StructField, len(fields))
	for i, f := range fields {
		help := f.Doc
		if f.Bound != "" {
			help += " " + sentence(f.Bound)
		}
		if f.Default != "" && !f.Secret {
			help += fmt.Sprintf(" Default: %s.", f.Default)
		}
		// kong takes ${name} for a variable of its own.
		help = strings.ReplaceAll(help, "$", "$$")
		members[i] = reflect.StructField{
			Name: fmt.Sprintf("F%d", i), Type: reflect.TypeFor[*string](),
			Tag: reflect.StructTag(fmt.Sprintf(`name:%q help:%q placeholder:"…" hidden:"" group:"Configuration"`, f.Path, help)),
		}
	}
	return &fieldFlags{fields, reflect.New(reflect.StructOf(members))}
}

// sentence makes a bound ("1 to 10") one.
func sentence(s string) string {
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

// target is what kong fills in.
func (f *fieldFlags) target() any { return f.values.Interface() }

// given returns the flags that were given, by path.
func (f *fieldFlags) given() map[string]string {
	m := map[string]string{}
	for i, field := range f.fields {
		if v, ok := f.values.Elem().Field(i).Interface().(*string); ok && v != nil {
			m[field.Path] = *v
		}
	}
	return m
}
