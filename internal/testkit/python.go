package testkit

import (
	"testing"

	"forebay/internal/testkit/server"
)

// Python returns the path of an interpreter that has exactly the given pip packages ("numpy==1.24.4", "redis==5.3.0") and what
// they depend on. The virtual environment is made once and kept in the cache folder; processes that ask for the same one
// at once wait for it.
func Python(t testing.TB, packages ...string) string {
	t.Helper()
	need(t, "Python")
	python, err := server.Python(startContext(t), packages...)
	must(t, err)
	return python
}
