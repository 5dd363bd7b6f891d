package api

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryRouteOfTheSpecificationIsRegistered walks the paths of the swagger.yaml that the types come from: each must
// have a handler, if only one that says what is missing.
func TestEveryRouteOfTheSpecificationIsRegistered(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/moby/moby/api").Output()
	if err != nil {
		t.Skip("no go command to ask where the specification is")
	}
	spec, err := os.Open(filepath.Join(strings.TrimSpace(string(dir)), "swagger.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer spec.Close()
	rt := newRouter()
	for _, part := range []interface{ routes(*router) }{&containerHandlers{life: &containers{}}, &archiveHandlers{}, &execHandlers{}, &imageHandlers{}, &registryHandlers{}, &volumeHandlers{}, &networkHandlers{}, &commitHandlers{}, &buildHandlers{}, &eventHandlers{}, &systemHandlers{}} {
		part.routes(rt)
	}
	absentRoutes(rt)

	isPath, isMethod := regexp.MustCompile(`^  (/\S+):$`), regexp.MustCompile(`^    (get|head|post|put|delete):$`)
	path, found := "", 0
	lines := bufio.NewScanner(spec)
	for lines.Scan() {
		if m := isPath.FindStringSubmatch(lines.Text()); m != nil {
			path = regexp.MustCompile(`\{\w+\}`).ReplaceAllString(m[1], "x/y")
			if !strings.HasPrefix(path, "/images/") && !strings.HasPrefix(path, "/plugins/") && !strings.HasPrefix(path, "/distribution/") {
				path = strings.ReplaceAll(path, "x/y", "x")
			}
			continue
		}
		m := isMethod.FindStringSubmatch(lines.Text())
		if m == nil || path == "" {
			continue
		}
		found++
		r, err := http.NewRequest(strings.ToUpper(m[1]), "http://berth"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, pattern := rt.mux.Handler(r)
		if pattern == "" || strings.HasSuffix(pattern, "{rest...}") && !rt.hasNamed(pattern, path) {
			t.Errorf("%s %s has no handler", r.Method, path)
		}
	}
	if err := lines.Err(); err != nil || found < 100 {
		t.Errorf("read only %d routes: %v", found, err)
	}
}

// hasNamed tells whether the routes under pattern take path; true for a pattern that takes everything.
func (rt *router) hasNamed(pattern, path string) bool {
	suffixes, ok := rt.named[strings.TrimSuffix(pattern, "{rest...}")]
	if !ok {
		return true
	}
	_, bare := suffixes[""]
	_, last := suffixes[path[strings.LastIndexByte(path, '/'):]]
	return bare || last
}
