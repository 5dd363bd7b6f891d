package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// besideDockerd starts berth's engine and the machine's dockerd, each with a busybox and a docker CLI.
func besideDockerd(t *testing.T) (ours, theirs *side) {
	t.Helper()
	r := newRig(t)
	for _, program := range []string{"docker", "dockerd"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs docker and dockerd to compare with (Debian: apt-get install docker.io)")
		}
	}
	ours = &side{t: t, name: "berth", host: "unix://" + r.socket, dir: filepath.Join(r.dir, "cli")}
	theirs = &side{t: t, name: "dockerd", host: startDockerd(t), dir: t.TempDir()}
	tar := rootfs(t)
	ours.prepare(tar)
	theirs.prepare(tar)
	if out, code := theirs.docker("", []string{"import", "-c", `CMD ["sh"]`, "$T/rootfs.tar", "busybox:latest"}); code != 0 {
		t.Fatal(out)
	}
	return ours, theirs
}

// TestBesideDockerd types testdata/beside.txt into the docker CLI twice, with berth and with the machine's dockerd behind it,
// and compares what comes. What differs on purpose says so there, and is an error here once it does not differ any more.
func TestBesideDockerd(t *testing.T) {
	if testing.Short() {
		t.Skip("runs hundreds of commands")
	}
	ours, theirs := besideDockerd(t)
	script, err := os.ReadFile("testdata/beside.txt")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, s := range steps(string(script)) {
		count++
		var got, want string
		var both sync.WaitGroup
		both.Go(func() { got = ours.say(s) })
		both.Go(func() { want = theirs.say(s) })
		both.Wait()
		switch {
		case s.why == "" && got != want:
			t.Errorf("line %d: docker %s\nberth:   %s\ndockerd: %s", s.line, s.text, got, want)
		case s.why != "" && got == want:
			t.Errorf("line %d: docker %s: there is no difference any more: %s", s.line, s.text, got)
		case s.why != "" && got != s.want:
			t.Errorf("line %d: docker %s\ngot  %s\nwant %s", s.line, s.text, got, s.want)
		}
	}
	if count < 150 {
		t.Errorf("only %d commands", count)
	}
}

// step is one command of the script.
type step struct {
	line        int
	text, stdin string
	why, want   string // a difference: its reason, and berth's answer
}

// steps reads a script.
func steps(script string) []step {
	var out []step
	for i, line := range strings.Split(script, "\n") {
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '!':
			out[len(out)-1].why = strings.TrimSpace(line[1:])
		case line[0] == '>':
			s := &out[len(out)-1]
			s.want += strings.TrimPrefix(line[1:], " ") + "\n"
		default:
			text, stdin, _ := strings.Cut(line, " < ")
			out = append(out, step{line: i + 1, text: text, stdin: stdin})
		}
	}
	return out
}

// side is an engine and what a user of it has on disk.
type side struct {
	t               *testing.T
	name, host, dir string
}

// prepare makes the files that the script uses.
func (s *side) prepare(rootfs []byte) {
	s.t.Helper()
	for name, text := range map[string]string{
		"host/file": "of the host\n", "env": "# comment\nFROM=file\n", "rootfs.tar": string(rootfs), "config.json": `{"auths":{"none.invalid":{}}}`,
	} {
		path := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
}

// say is the answer to a step, with what differs from run to run and from engine to engine replaced.
func (s *side) say(st step) string {
	out, code := s.docker(st.stdin, quoted(st.text))
	out = strings.ReplaceAll(out, s.dir, "$T")
	for _, r := range replacements {
		out = r.what.ReplaceAllString(out, r.by)
	}
	if s.sorted(st.text) {
		lines := strings.SplitAfter(out, "\n")
		slices.Sort(lines)
		out = strings.Join(lines, "")
	}
	if code != 0 {
		out += fmt.Sprintf("[%d]\n", code)
	}
	return out
}

// sorted tells whether a command's lines have no order: the tags of one image are as old as each other.
func (*side) sorted(command string) bool { return strings.HasPrefix(command, "images --format") }

// replacements are for what no two runs have in common.
var replacements = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "ID"},
	{regexp.MustCompile(`\b[0-9a-f]{12}\b`), "id"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`(\d+|Less than a|About a|an?) (second|minute)s?( ago)?`), "AGO"},
	{regexp.MustCompile(`\b172\.\d+\.\d+\.\d+(/\d+)?`), "IP"},
	{regexp.MustCompile(`  +`), "  "},
	{regexp.MustCompile(` +\n`), "\n"},
	{regexp.MustCompile("\r"), ""},
	// The client's own log of an upload that is refused early: how far it had come is chance.
	{regexp.MustCompile(`time="TIME" level=error msg="Can't (add file|close tar writer).*\n`), ""},
	{regexp.MustCompile(`failed to create task for container: |runc create failed: `), ""},
	{regexp.MustCompile(`0\.01 to \d+\.00, as there are only \d+ CPUs`), "0.01 to N.00, as there are only N CPUs"},
	{regexp.MustCompile(`Invalid filter`), "invalid filter"},
}

// docker runs the CLI.
func (s *side) docker(stdin string, args []string) (string, int) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	all := append([]string{"-H", s.host, "--config", s.dir}, args...)
	for i := range all {
		all[i] = strings.ReplaceAll(all[i], "$T", s.dir)
	}
	cmd := exec.CommandContext(ctx, "docker", all...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Errorf("%s: %v", s.name, err)
	}
	return out.String() + errs.String(), cmd.ProcessState.ExitCode()
}

// quoted splits a command line at spaces, except within quotes, which may be empty.
func quoted(line string) []string {
	var args []string
	var word strings.Builder
	quote, any := rune(0), false
	for _, c := range line + " " {
		switch {
		case quote == 0 && (c == '\'' || c == '"' && word.Len() == 0):
			quote, any = c, true
		case c == quote:
			quote = 0
		case c == ' ' && quote == 0:
			if any {
				args = append(args, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteRune(c)
			any = true
		}
	}
	return args
}

// startDockerd starts a dockerd in a network namespace of its own, and returns its address.
func startDockerd(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dockerd")
	if err != nil {
		t.Fatal(err)
	}
	host := "unix://" + filepath.Join(dir, "s")
	cmd := exec.Command("busybox", "sh", "-c", `busybox ip link set lo up; exec dockerd --data-root "$0/root" --exec-root "$0/x" --pidfile "$0/pid" -H "$1"`, dir, host)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		if out, err := exec.Command("docker", "-H", host, "ps", "-aq").Output(); err == nil && len(out) > 0 {
			_ = exec.Command("docker", append([]string{"-H", host, "rm", "-f"}, strings.Fields(string(out))...)...).Run()
		}
		_ = cmd.Process.Signal(unix.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		unmountBelow(t, dir)
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if exec.Command("docker", "-H", host, "version").Run() == nil {
			return host
		}
		select {
		case err := <-ended:
			ended <- err
			t.Skipf("dockerd does not run on this machine: %v\n%s", err, log.String())
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("dockerd does not answer:\n%s", log.String())
		}
	}
}

// unmountBelow takes away what a dockerd leaves mounted.
func unmountBelow(t *testing.T, dir string) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(mounts), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if fields := strings.Fields(lines[i]); len(fields) > 1 && strings.HasPrefix(fields[1], dir+"/") {
			if err := unix.Unmount(fields[1], unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		}
	}
}
