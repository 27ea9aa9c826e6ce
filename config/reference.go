package config

import (
	"slices"
	"strings"
)

// Reference returns every field as Markdown, a table for each section, for a manual.
func Reference() string {
	var b strings.Builder
	groups := append([]section{{"", "The top level."}}, sections()...)
	for _, s := range groups {
		rows := slices.DeleteFunc(Fields(), func(f Field) bool {
			return f.Path[:max(strings.LastIndexByte(f.Path, '.'), 0)] != s.path
		})
		if len(rows) == 0 {
			continue
		}
		if s.path != "" {
			b.WriteString("**`" + s.path + "`** ")
		}
		b.WriteString(s.doc + "\n\n| field | default | accepts | what it does |\n| --- | --- | --- | --- |\n")
		for _, f := range rows {
			b.WriteString("| `" + f.Path + "` | `" + f.Default + "` | " + cell(f.Bound) + " | " + cell(f.Doc) + " |\n")
		}
		b.WriteString("\n")
	}
	b.WriteString("**`routes`** Which keys are read through. In the file only.\n\n| key | what it does |\n| --- | --- |\n")
	for _, row := range routeReference() {
		b.WriteString("| `" + row[0] + "` | " + cell(row[1]) + " |\n")
	}
	return b.String()
}

// cell keeps text inside one cell of a table.
func cell(text string) string {
	if text == "" {
		return "any text"
	}
	return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(text)
}
