package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The tests in this file keep ARCHITECTURE.md true. To change the layering,
// change the table there and the code in the same commit.

// row matches "| `package` | what it owns | `may`, `import` |".
var row = regexp.MustCompile("(?m)^\\| `([a-z/]+)` \\| [^|]+ \\|([^|]*)\\|$")

var quoted = regexp.MustCompile("`([^`\n]+)`")

// name matches a reference to code: "tsm.Shard.Write" or "tsm/wal.Log".
var name = regexp.MustCompile(`^([a-z]+(?:/[a-z]+)*)\.([A-Z]\w*)(?:\.(\w+))?$`)

func readDoc(t *testing.T) (doc string, allowed map[string][]string) {
	t.Helper()
	b, err := os.ReadFile("../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	allowed = map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(string(b), -1) {
		allowed[m[1]] = nil
		for _, q := range quoted.FindAllStringSubmatch(m[2], -1) {
			allowed[m[1]] = append(allowed[m[1]], q[1])
		}
	}
	return string(b), allowed
}

func goList(t *testing.T, format string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", format, "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// everywhere is the packages that any other may import.
var everywhere = []string{"internal/invariant", "internal/mutant"}

// TestImports checks every import between our packages against the table.
// Packages under cmd and test may import all.
func TestImports(t *testing.T) {
	_, allowed := readDoc(t)
	module := goList(t, "{{.Module.Path}}")[0] + "/"
	seen := map[string]bool{}
	for _, line := range goList(t, `{{.ImportPath}} {{join .Imports " "}}`) {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], module)
		if first, _, _ := strings.Cut(pkg, "/"); first == "cmd" || first == "test" {
			continue
		}
		seen[pkg] = true
		may, ok := allowed[pkg]
		if !ok {
			t.Errorf("%s is missing from the table in ARCHITECTURE.md", pkg)
			continue
		}
		for _, imp := range fields[1:] {
			dep, ours := strings.CutPrefix(imp, module)
			if ours && !slices.Contains(everywhere, dep) && !slices.Contains(may, dep) {
				t.Errorf("%s imports %s, which ARCHITECTURE.md does not allow", pkg, dep)
			}
		}
	}
	for pkg := range allowed {
		if !seen[pkg] {
			t.Errorf("ARCHITECTURE.md lists %s, which does not exist", pkg)
		}
	}
}

// The image holds nothing but the program.
func TestProgramHasTheZonesOfTheWorld(t *testing.T) {
	deps := goList(t, `{{if eq .Name "main"}}{{.ImportPath}}{{range .Deps}} {{.}}{{end}}{{end}}`)
	for _, line := range deps {
		fields := strings.Fields(line)
		if len(fields) > 0 && strings.HasSuffix(fields[0], "/cmd/varved") && !slices.Contains(fields, "time/tzdata") {
			t.Error("varved does not embed the time zones")
		}
	}
}

// TestNames checks that every type and method the document names exists.
func TestNames(t *testing.T) {
	doc, _ := readDoc(t)
	for _, q := range quoted.FindAllStringSubmatch(doc, -1) {
		m := name.FindStringSubmatch(q[1])
		if m == nil {
			continue
		}
		if !declared(t, m[1], m[2], m[3]) {
			t.Errorf("ARCHITECTURE.md names %s, which does not exist", q[1])
		}
	}
}

// declared reports whether dir declares ident, with the given method or field
// when member is set.
func declared(t *testing.T, dir, ident, member string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				recv := receiver(n)
				found = found || recv == "" && member == "" && n.Name.Name == ident ||
					recv == ident && n.Name.Name == member
			case *ast.TypeSpec:
				if n.Name.Name == ident {
					found = found || member == "" || hasMember(n.Type, member)
				}
			case *ast.ValueSpec:
				for _, id := range n.Names {
					found = found || member == "" && id.Name == ident
				}
			}
			return !found
		})
	}
	return found
}

func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if index, ok := typ.(*ast.IndexExpr); ok {
		typ = index.X
	}
	id, _ := typ.(*ast.Ident)
	if id == nil {
		return ""
	}
	return id.Name
}

func hasMember(typ ast.Expr, member string) bool {
	var list *ast.FieldList
	switch typ := typ.(type) {
	case *ast.InterfaceType:
		list = typ.Methods
	case *ast.StructType:
		list = typ.Fields
	default:
		return false
	}
	for _, f := range list.List {
		for _, id := range f.Names {
			if id.Name == member {
				return true
			}
		}
	}
	return false
}
