package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"berth/tui/tuitest"
)

// TestTheConsoleOwnsWhatContainersUse makes, joins, publishes and removes from
// the console, and finds the same with the verbs.
func TestTheConsoleOwnsWhatContainersUse(t *testing.T) {
	r := newRig(t)
	r.images()
	port, other := freePort(t), freePort(t)
	r.berth("run", "-d", "--name", "web", "-p", port+":80", "-v", "files:/www", "busybox", "sh", "-c", "echo hello >/www/index.html; exec httpd -f -h /www")

	command := r.command()
	command.Dir = t.TempDir() // where files are saved
	c := tuitest.Start(t, command, 120, 40)
	c.WaitFor("● web", "Volumes 1", "Networks 3", "Ports 1")
	c.Press("4")
	c.WaitFor("● files", "USED BY", "/www")
	c.Press("]")
	c.WaitFor("index.html")
	c.Press("enter", "/")
	c.Type("nothing\n")
	c.WaitFor("no name matches")
	c.Press("esc", "enter")
	c.WaitFor("hello")
	c.Press("ctrl+e")
	c.WaitFor("saved /index.html (6B) to index.html")
	c.Press("esc", "esc", "[")
	c.Press("N")
	c.Type("spare\n")
	c.WaitFor("Volumes 2", "○ spare")
	c.Press("g", "C")
	c.WaitFor("clone files")
	c.Press("enter")
	c.WaitFor("Volumes 3", "cloned files to files-copy")
	c.Press("d")
	c.WaitFor("files is used by web")

	c.Press("5", "N")
	c.Type("back 10.213.7.0/24\n")
	c.WaitFor("Networks 4", "10.213.7.0/24")
	c.Press("g", "C")
	c.WaitFor("connect to back")
	c.Press("enter")
	c.WaitFor("● back", "10.213.7.2")

	c.Press("6")
	c.WaitFor("● "+port, "reachable")
	c.Press("N", "enter")
	c.WaitFor("publish a port of web")
	c.Type(other + ":80\n")
	c.WaitFor("Ports 2", other)
	c.Press("d", "y")
	c.WaitFor("Ports 1")

	c.Press("7")
	c.WaitFor("pruning frees", "volumes")
	c.Press("]", "]")
	c.WaitFor("kernel", "root")
	c.Press("]")
	c.WaitFor("cgroups")
	c.Press("esc")
	c.WaitGone("cgroups")
	c.Press("4", "b")
	c.WaitFor("all unused volumes: 2")
	c.Press("2")
	c.WaitFor("Volumes 1", "2 removed")
	c.Press("q")
	if code := c.WaitExit(); code != 0 {
		t.Errorf("leaving the console: exit code %d", code)
	}
	if out := r.berth("volume", "ls", "-q"); out != "files" {
		t.Errorf("volumes: %q", out)
	}
	r.berth("rm", "-f", "web")
	r.berth("network", "rm", "back")
	r.berth("volume", "rm", "files")
}

// TestTheConsoleStartsADeadEngineAgain: the engine in the background is killed
// under the console.
func TestTheConsoleStartsADeadEngineAgain(t *testing.T) {
	r := newRig(t)
	r.images()
	r.berth("run", "-d", "--name", "lasting", "--network", "none", "busybox", "sleep", "1000")
	c := tuitest.Start(t, r.command(), 100, 30)
	c.WaitFor("● lasting")
	first := r.engine()
	syscall.Kill(first, syscall.SIGKILL)
	c.WaitFor("the engine is back")
	c.WaitFor("● lasting")
	if r.engine() == first {
		t.Error("the engine is the same process")
	}
	c.Press("q")
	c.WaitExit()
}

// TestAFirstStartMakesAnImageAndRunsIt: a new user's console, on an engine that has
// nothing, needs no other program.
func TestAFirstStartMakesAnImageAndRunsIt(t *testing.T) {
	needBusybox(t)
	r := newRig(t)
	c := tuitest.Start(t, r.command(), 120, 40)
	c.WaitFor("no containers yet", "3 N  makes a small image")
	c.Press("3")
	c.WaitFor("N  makes a small starter", "P  pulls one", "i  loads a tar")
	c.Press("N")
	c.WaitFor("Images 2", "made berth/starter")
	c.Press("/")
	c.Type("starter\n")
	c.WaitFor("Images 1/2")
	c.Press("R")
	c.WaitFor("run an image", "berth run -d -it berth/starter")
	c.Type("first\n")
	c.WaitFor("● first")
	c.Press("q")
	c.WaitExit()
	r.berth("rm", "-f", "first")
}

// TestTheConsoleBuildsAnImage: the form, the steps as they go, and the words of the
// one that fails.
func TestTheConsoleBuildsAnImage(t *testing.T) {
	r := newRig(t)
	r.images()
	dir := t.TempDir()
	write := func(step string) {
		file := "FROM busybox\nARG WORD\nRUN echo the word is $WORD\nRUN " + step + "\n"
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(file), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("echo this is wrong && exit 7")
	command := r.command()
	command.Dir = dir
	c := tuitest.Start(t, command, 120, 40)
	c.WaitFor("Images")
	c.Press("3", "B")
	c.WaitFor("build an image", "berth build .")
	c.Press("tab", "tab")
	c.Type("made:here")
	c.Press("tab", "tab", "tab")
	c.WaitFor("WORD=")
	c.Type("WORD=berth\n")
	c.WaitFor("✓ 3/4 RUN echo the word is", "✗ 4/4 RUN echo this is wrong", "     this is wrong", "esc closes")
	c.Press("k")
	c.WaitFor("the word is berth")
	c.Press("esc")
	write("true")
	c.Press("B", "tab", "tab")
	c.Type("made:here\n")
	c.WaitFor("built made:here", "made:here ")
	c.Press("q")
	c.WaitExit()
	if out := r.berth("images", "-q", "made:here"); out == "" {
		t.Error("no image was made")
	}
}

// TestTheConsoleTakesProjectsDownAndUp: what compose has made is grouped, and
// goes and comes as a whole.
func TestTheConsoleTakesProjectsDownAndUp(t *testing.T) {
	if _, err := exec.LookPath("docker-compose"); err != nil {
		t.Skip("needs docker-compose (Debian: apt-get install docker-compose)")
	}
	r := newRig(t)
	r.images()
	dir := t.TempDir()
	file := "services:\n  web:\n    image: busybox\n    init: true\n    command: [sleep, '1000']\n  job:\n    image: busybox\n    init: true\n    command: [sleep, '1000']\n"
	if err := os.WriteFile(filepath.Join(dir, "docker-compose.yml"), []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	c := tuitest.Start(t, r.command(), 120, 40) // its engine is there as long as it is
	c.WaitFor("Containers 0", "Images")
	up := exec.Command("docker-compose", "-p", "shop", "up", "-d")
	up.Dir = dir
	up.Env = append(os.Environ(), "DOCKER_HOST="+r.conf.Socket())
	if out, err := up.CombinedOutput(); err != nil {
		t.Fatalf("compose: %v\n%s", err, out)
	}
	c.WaitFor("● shop", "2/2", "shop_default")
	c.Press("1", "s")
	c.WaitFor("○ shop", "0/2")
	r.berth("rm", "shop_job_1")
	c.WaitFor("0/1")
	c.Press("U")
	c.WaitFor("brought up shop", "● shop", "2/2")
	c.Press("D")
	c.WaitFor("take shop down?", "stop and remove 2 containers")
	c.Press("y")
	c.WaitFor("took down shop with one network", "Containers 0")
	c.WaitGone("shop_default")
	c.Press("q")
	c.WaitExit()
	if out := r.berth("ps", "-aq"); out != "" {
		t.Errorf("left: %s", out)
	}
}
