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
	r.WaitFor("build an image", "Context")
	r.Press("ctrl+u")
	r.Type(filepath.Dir(dir) + "/" + filepath.Base(dir)[:2])
	r.WaitFor("no such file or directory", "Context   "+dir) // what completes it is shown
	r.Press("right")
	r.WaitFor("berth build " + dir)
	r.Press("tab", "tab") // the directory's name is the image's
	r.WaitFor("Tags      " + filepath.Base(dir) + ":latest")
	r.Press("right")
	r.WaitFor("berth build -t " + filepath.Base(dir) + ":latest")
	r.Press("ctrl+u")
	r.Type("shop:mine\n")
	r.WaitFor("built shop:mine", "Images 9")
	r.Press("/")
	r.Type("shop:mine\n")
	r.WaitFor("Images 1/9")
	r.Press("@")
	r.WaitFor("berth build -t shop:mine " + dir)
}

// A build that fails keeps its words until they are read.
func TestABuildThatFailsTellsWhy(t *testing.T) {
	dir := contextOf(t, map[string]string{"Dockerfile": "FROM busybox", "broken": "", "secret": "", ".dockerignore": "secret\n"})
	r := start(t, newEngine(t), 120, 36)
	r.WaitFor("Images 8")
	r.Press("3", "B", "ctrl+u")
	r.Type(dir + "\n")
	r.WaitFor("✗ 1/2 FROM busybox", "has broken", "has Dockerfile", "✗ RUN make: exit code 2", "esc closes")
	if strings.Contains(r.Screen(), "has secret") {
		t.Error("what .dockerignore names was sent")
	}
	r.Press("esc")
	r.WaitGone("has broken")
}

// What is wrong with a build is said before it begins, and where.
func TestTheFormOfABuildKnowsTheDirectory(t *testing.T) {
	dir := contextOf(t, map[string]string{"file": "", "Dockerfile": "ARG V=3\nFROM a AS base\nARG CC=gcc\nFROM b\n", "Dockerfile.wrong": "FORM x\n"})
	r := start(t, newEngine(t), 120, 36)
	r.WaitFor("Images 8")
	r.Press("3", "B", "ctrl+u", "enter")
	r.WaitFor("a directory is needed")
	r.Type(dir + "/file")
	r.WaitFor("not a directory")
	for range len("/file") {
		r.Press("backspace")
	}
	r.Press("tab")
	r.Type("None")
	r.WaitFor("None: no such file")
	r.Press("ctrl+u")
	r.Type("Dockerfile.w")
	r.WaitFor("Dockerfile.wrong") // completes
	r.Press("right")
	r.WaitFor("Dockerfile.wrong: dockerfile parse error")
	r.Press("ctrl+u", "tab")
	r.Type("UPPER")
	r.WaitFor("no name of an image")
	r.Press("ctrl+u", "tab")
	r.Type("other")
	r.WaitFor("there is no stage other: there is base, 1")
	r.Press("ctrl+u")
	r.WaitFor("Target    base")
	r.Press("right", "tab")
	r.WaitFor("V=3")
	r.Press("right", "tab")
	r.WaitFor("CC=gcc")
	r.Press("right", "tab", "tab")
	r.Type("x")
	r.WaitFor("such as linux/arm64")
	r.Press("ctrl+u")
	r.Type("linux/arm6")
	r.Press("right", "tab", "space", "tab", "space")
	r.WaitFor("--target base --build-arg V=3 --build-arg CC=gcc --platform ", "--no-cache --pull /tmp")
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
