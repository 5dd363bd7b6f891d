package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layers are the groups of packages from the lowest up; a package imports only
// what stands above it here, or in its own group where the group says so.
var layers = []struct {
	prefix string   // of the import path
	may    []string // prefixes of berth's packages that it may import
}{
	{"berth/runtime", []string{"berth/runtime"}},
	{"berth/store", []string{"berth/store", "berth/runtime/mount"}},
	{"berth/shim", []string{"berth/shim", "berth/runtime"}},
	{"berth/engine/events", engineParts},
	{"berth/engine/filter", engineParts},
	{"berth/engine/logs", engineParts},
	{"berth/engine/spec", engineParts},
	{"berth/engine/network", engineParts},
	{"berth/engine/registry", engineParts},
	{"berth/engine/download", []string{"berth/engine/registry"}},
	{"berth/engine/release", nil},
	{"berth/engine/build", append([]string{"berth/engine/download"}, engineParts...)},
	{"berth/engine/api/berthapi", nil}, // the console uses it against any engine
	{"berth/engine/api", []string{"berth/engine", "berth/shim", "berth/store", "berth/runtime"}},
	{"berth/engine", append([]string{"berth/engine/events", "berth/engine/filter", "berth/engine/logs", "berth/engine/spec", "berth/engine/network", "berth/engine/registry", "berth/engine/download", "berth/engine/release", "berth/engine/build"}, below...)},
	{"berth/tui", []string{"berth/tui", "berth/engine/api/berthapi"}},
	{"berth/cmd/berth/early", []string{"berth/cmd/berth/early", "berth/shim", "berth/runtime"}},
	{"berth/cmd/berth", []string{"berth"}},
}

var below = []string{"berth/shim", "berth/store", "berth/runtime"}

// engineParts may use each other, but not the engine.
var engineParts = append([]string{"berth/engine/events", "berth/engine/filter", "berth/engine/logs", "berth/engine/spec", "berth/engine/network"}, below...)

// under says whether path is prefix or below it.
func under(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// goList runs go list at the top of the module.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = top(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// top is the root of the source tree.
func top(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Skip("the source tree is not here: the test binary runs elsewhere")
	}
	return dir
}

func TestImportDirections(t *testing.T) {
	for _, line := range goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		words := strings.Fields(line)
		pkg := words[0]
		i := slices.IndexFunc(layers, func(l struct {
			prefix string
			may    []string
		}) bool {
			return under(pkg, l.prefix)
		})
		if i < 0 {
			t.Errorf("package %s has no place in the layers", pkg)
			continue
		}
		for _, imp := range words[1:] {
			if under(imp, "berth") && !slices.ContainsFunc(layers[i].may, func(p string) bool { return under(imp, p) }) {
				t.Errorf("%s imports %s, which does not stand below it", pkg, imp)
			}
		}
	}
}

// heavy is what the shim and the runtime must not carry: each costs start-up
// time and memory once per container.
var heavy = []string{
	"net/http", "crypto/tls", "google.golang.org/protobuf", "google.golang.org/grpc", "charm.land", "github.com/charmbracelet",
	"github.com/containerd/containerd", "github.com/moby/moby", "go.opentelemetry.io", "github.com/spf13/cobra", "go.etcd.io/bbolt",
	"text/template", "html/template",
}

func TestEarlyPackageIsLight(t *testing.T) {
	for _, dep := range goList(t, "-deps", "./cmd/berth/early") {
		for _, h := range heavy {
			if under(dep, h) {
				t.Errorf("package early depends on %s", dep)
			}
		}
	}
}

// goFiles calls f for every Go file of the tree.
func goFiles(t *testing.T, f func(path string)) {
	t.Helper()
	root := top(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			f(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	documented := map[string]bool{}
	goFiles(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		dir := filepath.Dir(path)
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Error(err)
			return
		}
		documented[dir] = documented[dir] || f.Doc != nil && len(strings.TrimSpace(f.Doc.Text())) > 40
	})
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: the package has no comment that says what it is for", dir)
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	goFiles(t, func(path string) {
		most := 400
		if strings.HasSuffix(path, "_test.go") {
			most = 500 // tables of cases are long
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			return
		}
		if n := bytes.Count(b, []byte("\n")); n > most && !generated(b) {
			t.Errorf("%s has %d lines: more than %d belong into two files", path, n, most)
		}
	})
}

// generated says whether a file was written by a program.
func generated(b []byte) bool {
	f, err := parser.ParseFile(token.NewFileSet(), "", b, parser.PackageClauseOnly|parser.ParseComments)
	return err == nil && ast.IsGenerated(f)
}

// TestNothingReadsItsTablesAtStart keeps out what every command would pay for
// before its main, whether it needs it or not.
func TestNothingReadsItsTablesAtStart(t *testing.T) {
	for _, dep := range goList(t, "-deps", "./cmd/berth") {
		if dep == "github.com/alecthomas/chroma/v2/lexers" {
			t.Errorf("berth depends on %s, which takes ten milliseconds to initialise", dep)
		}
	}
}
