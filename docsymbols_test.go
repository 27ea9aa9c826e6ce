package forebay_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"forebay/config"
)

// elsewhere are names in ARCHITECTURE.md that are no Go symbols of this tree: of libraries, of Redis, of the shell.
const elsewhere = ` ReadNextCommand Client.Produce ppoll poll used_memory SOAK TEST_CASSANDRA_ADDR TEST_KAFKA_BROKER TEST_SEED `

// TestSymbolsOfTheArchitecture holds the names in ARCHITECTURE.md to the code: each symbol in backticks is declared somewhere, one with a dot by that
// type or package, and each file and folder exists.
func TestSymbolsOfTheArchitecture(t *testing.T) {
	names, reference := declared(t), config.Reference()
	text := regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(read(t, "ARCHITECTURE.md"), "")
	symbol := regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$`)
	file := regexp.MustCompile(`^[\w/]+\.go$`)
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(text, -1) {
		name := m[1]
		if _, err := os.Stat(name); err == nil || strings.Contains(elsewhere, " "+name+" ") || strings.Contains(reference, "`"+name+"`") {
			continue
		}
		parts := strings.Split(name, ".")
		switch {
		case file.MatchString(name):
			t.Errorf("ARCHITECTURE.md names a file that does not exist: %s", name)
		case !symbol.MatchString(name):
		case !names[strings.Join(parts[max(0, len(parts)-2):], ".")]:
			t.Errorf("ARCHITECTURE.md names a symbol that does not exist: %s", name)
		}
	}
}

// declared is every name that the tree declares: by itself, and behind its type's and its package's.
func declared(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := fs.WalkDir(os.DirFS("."), ".", func(file string, d fs.DirEntry, err error) error {
		switch base := path.Base(file); {
		case err != nil:
			return err
		case d.IsDir() && file != "." && (base == "testdata" || base == "bin" || base[0] == '.'):
			return fs.SkipDir
		case d.IsDir():
			names[base] = true // packages go by their folders
			return nil
		case path.Ext(base) != ".go":
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		declare(names, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func declare(names map[string]bool, f *ast.File) {
	add := func(of, name string) { names[name], names[of+"."+name] = true, true }
	within := func(of string, list *ast.FieldList) {
		for _, field := range list.List {
			for _, n := range field.Names {
				add(of, n.Name)
			}
		}
	}
	for _, d := range f.Decls {
		if fun, ok := d.(*ast.FuncDecl); ok {
			add(f.Name.Name, fun.Name.Name)
			if fun.Recv != nil {
				add(typeName(fun.Recv.List[0].Type), fun.Name.Name)
			}
			continue
		}
		for _, s := range d.(*ast.GenDecl).Specs {
			switch s := s.(type) {
			case *ast.ValueSpec:
				for _, n := range s.Names {
					add(f.Name.Name, n.Name)
				}
			case *ast.TypeSpec:
				add(f.Name.Name, s.Name.Name)
				switch of := s.Type.(type) {
				case *ast.StructType:
					within(s.Name.Name, of.Fields)
				case *ast.InterfaceType:
					within(s.Name.Name, of.Methods)
				}
			}
		}
	}
}

// typeName is the name of a receiver's type.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.Ident:
		return e.Name
	default:
		return ""
	}
}
