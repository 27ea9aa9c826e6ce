// Package digits carries the bundled example data set, so that a binary can serve it without any file beside it.
// SOURCE.md says where the data comes from and under which licence.
package digits

import (
	"embed"
	"fmt"
)

//go:embed digits-train.npz digits-test.npz
var files embed.FS

// NPZ returns the archive of a split ("train" or "test") with its arrays "images", (N, 8, 8) of uint8, and "labels",
// (N) of int64. The bytes are a copy, the caller's own.
func NPZ(split string) ([]byte, error) {
	archive, err := files.ReadFile("digits-" + split + ".npz")
	if err != nil {
		return nil, fmt.Errorf("read split %q of the digits: %w", split, err)
	}
	return archive, nil
}
