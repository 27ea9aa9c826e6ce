// Package arch reads the module's source and says where it breaks its own rules: who may import whom ([Forebay]), which library
// belongs to which package ([Clients]), and calls that no file may make. It has no other user than its tests.
package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// file is one parsed source file.
type file struct {
	name string // slash-separated, from the module's root
	dir  string
	test bool
	fset *token.FileSet
	ast  *ast.File
}

// Check reads every Go file below the module's root, whatever its build tags, and returns each violation as "file: what" or
// "file:line: what".
func Check(root fs.FS, graph Graph, clients map[string][]string) ([]string, error) {
	var bad []string
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && ignored(name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		f, err := parse(root, name)
		if err != nil {
			return err
		}
		bad = append(bad, checkImports(f, graph, clients)...)
		bad = append(bad, checkCalls(f)...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	return bad, nil
}

// ignored are the folders that the go command ignores too.
func ignored(name string) bool {
	base := path.Base(name)
	return name != "." && (base == "testdata" || base == "vendor" || base[0] == '.' || base[0] == '_')
}

func parse(root fs.FS, name string) (*file, error) {
	src, err := fs.ReadFile(root, name)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &file{name: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), fset: fset, ast: tree}, nil
}

func (f *file) imports() []string {
	paths := make([]string, 0, len(f.ast.Imports))
	for _, spec := range f.ast.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

func (f *file) importsPath(want string) bool {
	for _, p := range f.imports() {
		if p == want {
			return true
		}
	}
	return false
}

// callee is "package.Function" for a call of another package's function, with the last part of the package's path
// whatever the file calls it, else "".
func (f *file) callee(call *ast.CallExpr) string {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		if spec.Name != nil && spec.Name.Name == pkg.Name || spec.Name == nil && path.Base(p) == pkg.Name {
			return p + "." + sel.Sel.Name
		}
	}
	return ""
}
