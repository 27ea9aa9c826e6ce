package cassandra

import (
	"context"
	"fmt"

	"forebay/backend"
)

// labelsTable holds what the labels of a dataset are called, where they have names:
//
//	labels((dataset), split, label, name)
func labelsTable() tableDef {
	return tableDef{
		name: "labels",
		columns: []backend.Column{
			{Name: "dataset", Type: backend.Text, Native: "text"},
			{Name: "split", Type: backend.Text, Native: "text"},
			{Name: "label", Type: backend.Int, Native: "bigint"},
			{Name: "name", Type: backend.Text, Native: "text"},
		},
		partition: []string{"dataset"}, clustering: []string{"split", "label"},
	}
}

// StoreLabels stores the names of the labels 0, 1, … of a split in place of those it had. Another split of the same dataset that calls a
// label by another name, or gives a name another label, is an error and nothing is stored: a model trained on the one would be judged
// wrong on the other.
func (l *Loader) StoreLabels(ctx context.Context, dataset, split string, names []string) error {
	doing := "store label names of " + dataset + "/" + split
	if err := l.createTable(ctx, labelsTable()); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	mine := map[string]int64{}
	for i, name := range names {
		mine[name] = int64(i)
	}
	iter := l.session.Query(`SELECT split, label, name FROM `+l.table("labels")+` WHERE dataset = ?`, dataset).IterContext(ctx)
	var other, name string
	var label int64
	var conflict error
	for iter.Scan(&other, &label, &name) {
		if at, ok := mine[name]; conflict == nil && other != split && (!ok || at != label) {
			is := fmt.Sprintf("%q is %d here", name, at)
			if !ok {
				is = fmt.Sprintf("%q has no label here", name)
			}
			conflict = fmt.Errorf("%s: %w: in %s/%s %q is %d, %s: name all labels in the same order for both splits",
				doing, backend.ErrSourceInvalid, dataset, other, name, label, is)
		}
	}
	if err := iter.Close(); err != nil {
		return fail(doing, err)
	}
	if conflict != nil {
		return conflict
	}
	err := l.insist(ctx, doing, `DELETE FROM `+l.table("labels")+` WHERE dataset = ? AND split = ? AND label >= ?`,
		dataset, split, int64(len(names)))
	for i := 0; i < len(names) && err == nil; i++ {
		err = l.insist(ctx, doing, `INSERT INTO `+l.table("labels")+` (dataset, split, label, name) VALUES (?, ?, ?, ?)`,
			dataset, split, int64(i), names[i])
	}
	return err
}
