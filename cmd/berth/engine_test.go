package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"berth/cmd/berth/connect"
)

// TestAVerbStartsTheEngineItNeeds covers the background engine: it starts by
// itself, is the only one however many verbs ask at once, and outlives them.
func TestAVerbStartsTheEngineItNeeds(t *testing.T) {
	r := newRig(t)
	if out := r.berth("version"); strings.Contains(out, "Server") || len(r.processes("serve")) != 0 {
		t.Errorf("asking for the version started an engine: %s", out)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if out, err := r.command("ps").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("CONTAINER ID")) {
				t.Errorf("ps: %v: %s", err, out)
			}
		})
	}
	wg.Wait()
	r.engine() // fails unless there is exactly one
	if out := r.berth("version"); !strings.Contains(out, "Server") {
		t.Errorf("version knows no engine: %s", out)
	}
}

// TestTheBackgroundEngineLeaves covers --idle-timeout: a client or a container
// keeps the engine, and without both it goes and takes its socket along.
func TestTheBackgroundEngineLeaves(t *testing.T) {
	r := newRig(t)
	r.images()
	syscall.Kill(r.engine(), syscall.SIGTERM)
	r.until("the engine has ended", func() bool { return len(r.processes("serve")) == 0 })

	serve := r.command("serve", "--idle-timeout", "300ms")
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	r.until("the engine listens", func() bool { return ping(r.conf.SocketPath()) == nil })
	id := r.berth("run", "-d", "--network", "none", "busybox", "sleep", "1000")
	events := r.command("events", "--since", "1h", "--filter", "event=die") // whichever comes first
	out, err := events.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := events.Start(); err != nil {
		t.Fatal(err)
	}
	r.berth("kill", id)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, id) {
		t.Errorf("the engine left under a client: %q, %v", line, err)
	}
	events.Process.Kill()
	events.Wait()
	if err := serve.Wait(); err != nil {
		t.Errorf("the idle engine: %v", err)
	}
	if _, err := os.Stat(r.conf.SocketPath()); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
	if state := r.berth("inspect", "-f", "{{.State.ExitCode}}", id); state != "137" {
		t.Errorf("the next engine says exit code %s", state)
	}
}

// TestTheEngineIsReplaceable is the promise of the shim: kill -9 the engine, and
// containers run on, no line of their logs is missing, attach works, and the
// exit codes of what ended meanwhile are known.
func TestTheEngineIsReplaceable(t *testing.T) {
	r := newRig(t)
	r.images()
	counter := "i=0; while [ ! -e /stop ]; do i=$((i+1)); echo line $i; sleep 0.01; done; echo last $i"
	r.berth("run", "-d", "--name", "counter", "--network", "none", "busybox", "sh", "-c", counter)
	r.berth("run", "-d", "--name", "ender", "--network", "none", "-v", r.dir+":/host", "busybox", "sh", "-c", "while [ ! -e /host/go ]; do sleep 0.01; done; exit 42")
	r.berth("run", "-d", "--name", "talker", "--network", "none", "-i", "busybox", "sh", "-c", "while read x; do echo heard $x; done")
	r.berth("run", "-d", "--rm", "--name", "passing", "--network", "none", "-v", r.dir+":/host", "busybox", "sh", "-c", "while [ ! -e /host/go ]; do sleep 0.01; done")

	// A foreground run, whose streams do not pass through the engine and whose
	// exit code must arrive all the same.
	fore := r.command("run", "--name", "fore", "-i", "--network", "none", "busybox", "sh", "-c", "read x; echo got $x; exit 9")
	stdin, err := fore.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var foreOut bytes.Buffer
	fore.Stdout, fore.Stderr = &foreOut, &foreOut
	if err := fore.Start(); err != nil {
		t.Fatal(err)
	}
	r.until("all containers run", func() bool { return strings.Count(r.berth("ps", "-q"), "\n") == 4 })

	syscall.Kill(r.engine(), syscall.SIGKILL)
	r.until("the engine is dead", func() bool { return len(r.processes("serve")) == 0 })
	if err := os.WriteFile(filepath.Join(r.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.until("the shims of what ended have left", func() bool { return len(r.processes("berth-shim")) <= 3 })
	fmt.Fprintln(stdin, "word")
	stdin.Close()
	if err := fore.Wait(); fore.ProcessState.ExitCode() != 9 || foreOut.String() != "got word\n" {
		t.Errorf("the foreground run: %v, %q", err, foreOut.String())
	}

	if got := r.berth("inspect", "-f", "{{.State.Running}}", "counter"); got != "true" {
		t.Errorf("counter runs: %s", got)
	}
	if got := r.berth("inspect", "-f", "{{.State.Running}} {{.State.ExitCode}}", "ender"); got != "false 42" {
		t.Errorf("ender: %s", got)
	}
	if _, code, _ := r.try("inspect", "passing"); code == 0 {
		t.Error("a container with --rm that ended without an engine is still there")
	}
	attach := r.command("attach", "talker")
	attach.Stdin = strings.NewReader("again\n")
	heard, err := attach.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := attach.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(heard).ReadString('\n'); err != nil || line != "heard again\n" {
		t.Errorf("attach: %q, %v", line, err)
	}
	r.berth("kill", "talker")
	attach.Wait() // with the container's exit code
	if out := r.berth("exec", "counter", "echo", "exec works"); out != "exec works" {
		t.Errorf("exec: %s", out)
	}
	r.berth("exec", "counter", "touch", "/stop")
	r.berth("wait", "counter")
	wholeLog(t, r.berth("logs", "counter"))
}

// wholeLog checks that the lines count from 1 without a gap and end.
func wholeLog(t *testing.T, log string) {
	t.Helper()
	lines := strings.Split(log, "\n")
	for i, l := range lines[:len(lines)-1] {
		if l != fmt.Sprintf("line %d", i+1) {
			t.Fatalf("line %d of the log is %q", i+1, l)
		}
	}
	if last := lines[len(lines)-1]; last != fmt.Sprintf("last %d", len(lines)-1) {
		t.Errorf("the log of %d lines ends with %q", len(lines), last)
	}
}

// TestTwoEnginesSideBySide holds that engines of different directories do not
// see or touch each other.
func TestTwoEnginesSideBySide(t *testing.T) {
	a, b := newRig(t), newRig(t)
	a.images()
	b.images()
	for _, r := range []*rig{a, b} {
		r.berth("run", "-d", "--name", "same", "busybox", "sleep", "1000")
	}
	if a.engine() == b.engine() {
		t.Error("both use one engine")
	}
	a.berth("rm", "-f", "same")
	syscall.Kill(a.engine(), syscall.SIGTERM)
	a.until("the first engine has ended", func() bool { return len(a.processes("serve")) == 0 })
	if out := b.berth("exec", "same", "echo", "well"); out != "well" {
		t.Errorf("the second engine's container: %s", out)
	}
	if out := b.berth("run", "--rm", "busybox", "echo", "still"); out != "still" {
		t.Errorf("the second engine: %s", out)
	}
}

// TestServe covers the engine in the foreground: sockets, flags, signals.
func TestServe(t *testing.T) {
	r := newRig(t)
	other := filepath.Join(r.dir, "other.sock")
	port := freePort(t)
	serve := r.command("serve", "-H", "unix://"+other, "-H", "tcp://"+port, "--insecure-tcp")
	var log syncBuffer
	serve.Stderr = &log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	r.until("the engine listens", func() bool { return strings.Contains(log.String(), "the engine listens") })
	for _, host := range []string{r.conf.Socket(), "unix://" + other, "tcp://" + port} {
		if out, code, msg := r.try("-H", host, "ps", "-q"); code != 0 || out != "" {
			t.Errorf("ps on %s: %d: %s%s", host, code, out, msg)
		}
	}
	if fi, err := os.Stat(other); err != nil || fi.Mode().Perm()&0o007 != 0 {
		t.Errorf("the socket is open to everyone: %v, %v", fi.Mode(), err)
	}
	// A second engine on the same root says so and leaves the first alone.
	second := r.command("serve")
	second.Env = append(second.Env, "BERTH_STATE="+filepath.Join(r.dir, "second"))
	out, err := second.CombinedOutput()
	if second.ProcessState.ExitCode() != connect.ExitBusy || !strings.Contains(string(out), "another engine") {
		t.Errorf("the second engine: %v: %s", err, out)
	}
	if err := serve.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := serve.Wait(); err != nil {
		t.Errorf("SIGTERM: %v: %s", err, log.String())
	}
	for _, path := range []string{other, r.conf.SocketPath()} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is left", path)
		}
	}
	for _, bad := range [][]string{{"-H", "tcp://" + port}, {"-H", "unix://relative"}, {"-H", "floppy://a"}, {"--log-level", "loud"}} {
		if _, code, msg := r.try(append([]string{"serve"}, bad...)...); code == 0 || msg == "" {
			t.Errorf("serve %v: exit code %d, %q", bad, code, msg)
		}
	}
}

// TestHandOverLosesNoConnection drives what a console does when it quits: the
// engine changes process while clients connect without pause.
func TestHandOverLosesNoConnection(t *testing.T) {
	r := newRig(t)
	r.images()
	r.berth("run", "-d", "--name", "box", "--network", "none", "busybox", "sleep", "1000")
	syscall.Kill(r.engine(), syscall.SIGTERM)
	r.until("the engine has ended", func() bool { return len(r.processes("serve")) == 0 })

	// The engine of a console lives in the console's process; here that is
	// a child, which hands over when it is told to.
	first := exec.Command("berth-console")
	first.Env = r.environ()
	go_, err := first.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	first.Stderr = os.Stderr
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the first engine: %q, %v", line, err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	asked := 0
	wg.Go(func() {
		for {
			if err := ping(r.conf.SocketPath()); err != nil {
				t.Errorf("a connection was lost: %v", err)
			}
			asked++
			select {
			case <-done:
				return
			default:
			}
		}
	})
	io.WriteString(go_, "go\n")
	io.Copy(io.Discard, out)
	if err := first.Wait(); err != nil {
		t.Errorf("handing over: %v", err)
	}
	for range 3 {
		r.berth("ps")
	}
	close(done)
	wg.Wait()
	if asked < 3 {
		t.Errorf("only %d requests were made", asked)
	}
	if got := r.berth("exec", "box", "echo", "alive"); got != "alive" {
		t.Errorf("exec after the change: %s", got)
	}
	r.engine()
}

// handOverWhenTold is a console without a screen: it embeds an engine, and
// leaves at the first line of its stdin. The engine that it leaves behind is
// this binary too.
func handOverWhenTold() {
	if len(os.Args) > 1 {
		main()
	}
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), conf: connect.Environment(os.Getenv)}
	err := a.conf.Fill()
	if err == nil {
		var d *daemon
		if d, _, err = a.embed(context.Background()); err == nil {
			fmt.Println("ready")
			bufio.NewReader(os.Stdin).ReadString('\n')
			err = leave(context.Background(), d)
		}
	}
	os.Exit(report(os.Stderr, err))
}

// ping asks the engine whether it is there, on a connection of its own.
func ping(socket string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /_ping HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}
