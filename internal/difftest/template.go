package difftest

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed commands.txt
var commandsText string

//go:embed routed.txt
var routedText string

// template is one row of commands.txt.
type template struct {
	weight int
	words  []string
	alone  bool   // for streams of one client
	free   bool   // not in transactions
	rows   string // the only kind of rows that it is for; "": any
}

// templates are rows with the sum of their weights.
type templates struct {
	list   []template
	weight int
}

// parseTemplates reads rows; text without comments must be well-formed.
func parseTemplates(text string) (*templates, error) {
	t := &templates{}
	for n, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		head, rest, _ := strings.Cut(line, " ")
		row := template{alone: strings.Contains(head, "@"), free: strings.Contains(head, "!")}
		switch {
		case strings.Contains(head, "+"):
			row.rows = RowsPresent
		case strings.Contains(head, "-"):
			row.rows = RowsAbsent
		}
		var err error
		if row.weight, err = strconv.Atoi(strings.TrimRight(head, "@!+-")); err != nil {
			return nil, fmt.Errorf("read templates: line %d: %w", n+1, err)
		}
		var st Stream
		if err := st.parseLine("0 " + rest); err != nil {
			return nil, fmt.Errorf("read templates: line %d: %w", n+1, err)
		}
		row.words = st.Steps[0].Words
		t.list = append(t.list, row)
		t.weight += row.weight
	}
	return t, nil
}

// pick returns the row that a number below the sum of weights falls on.
func (t *templates) pick(n int) *template {
	for i := range t.list {
		if n -= t.list[i].weight; n < 0 {
			return &t.list[i]
		}
	}
	return &t.list[len(t.list)-1]
}
