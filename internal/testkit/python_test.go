package testkit_test

import (
	"os/exec"
	"strings"
	"sync"
	"testing"

	"forebay/internal/testkit"
)

func TestPythonHasThePackagesAndIsKept(t *testing.T) {
	testkit.Python(t) // skips here, under -short: a goroutine cannot end its test
	var wg sync.WaitGroup
	paths := make([]string, 2)
	for i, packages := range [][]string{{"numpy==1.24.4", "redis==5.3.0"}, {"redis==5.3.0", "numpy==1.24.4"}} {
		wg.Go(func() { paths[i] = testkit.Python(t, packages...) })
	}
	wg.Wait()
	if paths[0] != paths[1] {
		t.Errorf("two environments for the same packages: %q", paths)
	}
	out, err := exec.Command(paths[0], "-c", "import numpy, redis; print(numpy.__version__, redis.__version__)").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "1.24.4 5.3.0" {
		t.Errorf("it prints %q, %v", out, err)
	}
}
