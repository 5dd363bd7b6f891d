package tui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// contextOf makes a directory with files of the given contents.
func contextOf(t *testing.T, all map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBuildingAnImage(t *testing.T) {
	dir := contextOf(t, map[string]string{"Dockerfile": "FROM busybox", "main.c": "", "secret": "", ".dockerignore": "secret\n"})
	r := start(t, newEngine(t), 120, 36)
	r.WaitFor("Images 8")
	r.Press("3", "B")
	r.WaitFor("build an image", "berth build . -t app:latest")
	r.Press("ctrl+u")
	r.Type(dir + " -t shop:mine\n")
	r.WaitFor("built shop:mine", "Images 9")
	r.Press("/")
	r.Type("shop:mine\n")
	r.WaitFor("Images 1/9")
	r.Press("@")
	r.WaitFor("berth build " + dir)
}

// A build that fails keeps its words until they are read.
func TestABuildThatFailsTellsWhy(t *testing.T) {
	dir := contextOf(t, map[string]string{"Dockerfile": "FROM busybox", "broken": "", "secret": "", ".dockerignore": "secret\n"})
	r := start(t, newEngine(t), 120, 36)
	r.WaitFor("Images 8")
	r.Press("3", "B", "ctrl+u")
	r.Type(dir + "\n")
	r.WaitFor("Step 1/2 : FROM busybox", "has broken", "has Dockerfile", "✗ RUN make: exit code 2", "esc closes")
	if strings.Contains(r.Screen(), "has secret") {
		t.Error("what .dockerignore names was sent")
	}
	r.Press("esc")
	r.WaitGone("has broken")
	for typed, want := range map[string]string{
		dir + " -f Other": "there is no Other in", "-t x": "a build needs the directory", ". --weird=1": "--weird is not known here", ". -t": "-t needs a value", dir + "/broken": "is no directory",
	} {
		r.Press("B", "ctrl+u")
		r.Type(typed + "\n")
		r.WaitFor(want)
	}
}

func TestSavingAndLoadingImages(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("Images 8")
	dir, err := os.MkdirTemp("/tmp", "b") // short, so that messages show it whole
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "out.tar")
	r.Press("3", "space", "space", "e")
	r.WaitFor("save 2 images to a file", "berth save -o images.tar busybox:latest")
	r.Press("ctrl+u")
	r.Type(file + "\n")
	r.WaitFor("saved to " + file + ": 2 images")
	if got, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(got), "archive of [busybox:latest nginx:1.27") {
		t.Errorf("%v: %q", err, got)
	}
	r.Press("e", "ctrl+u")
	r.Type(file + "\n")
	r.WaitFor("is there already: give another name")
	r.Press("i")
	r.Type(file + "\n")
	r.WaitFor("loaded " + file)
	r.Press("i")
	r.Type("/nowhere.tar\n")
	r.WaitFor("no such file")
	r.Press("ctrl+t")
	r.WaitFor("nothing is being pulled")
}
