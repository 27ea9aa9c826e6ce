package arch

import (
	"fmt"
	"go/ast"
	"strings"
)

// checkCalls reports what no file may do:
//
//   - define init: what a package needs is built by who uses it, in a visible order
//   - call log.Fatal and its kin, or os.Exit outside package main and TestMain: deferred work would be lost
//   - sleep in a test, but for files that use testing/synctest, where time is the bubble's
//   - skip a test, but for the test kit's one place
func checkCalls(f *file) []string {
	var bad []string
	report := func(n ast.Node, format string, args ...any) {
		at := f.fset.Position(n.Pos())
		bad = append(bad, fmt.Sprintf("%s:%d: %s", f.name, at.Line, fmt.Sprintf(format, args...)))
	}
	for _, decl := range f.ast.Decls {
		fn, isFunc := decl.(*ast.FuncDecl)
		if isFunc && fn.Recv == nil && fn.Name.Name == "init" {
			report(fn, "init function")
		}
		mayExit := strings.TrimSuffix(f.ast.Name.Name, "_test") == "main" || isFunc && f.test && fn.Name.Name == "TestMain"
		ast.Inspect(decl, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			switch name := f.callee(call); {
			case strings.HasPrefix(name, "log.Fatal"), strings.HasPrefix(name, "log.Panic"):
				report(call, "call of %s", name)
			case name == "os.Exit" && !mayExit:
				report(call, "call of os.Exit outside package main and TestMain")
			case name == "time.Sleep" && f.test && !f.importsPath("testing/synctest"):
				report(call, "time.Sleep in a test: wait for a condition, or use testing/synctest")
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && isSkip(f, sel) {
				report(call, "a skipped test: only internal/testkit skips, and only under -short")
			}
			return true
		})
	}
	return bad
}

// isSkip knows the methods by their names, and by the names that a testing.T goes by here.
func isSkip(f *file, sel *ast.SelectorExpr) bool {
	switch sel.Sel.Name {
	case "Skip", "Skipf", "SkipNow":
	default:
		return false
	}
	on, ok := sel.X.(*ast.Ident)
	if !ok || f.name == "internal/testkit/need.go" {
		return false
	}
	switch on.Name {
	case "t", "b", "tb", "f":
		return f.importsPath("testing")
	}
	return false
}
