package engine

import (
	"debug/elf"
	"fmt"
	"os"
	"strings"
	"testing"
)

// withInit is shell with an init process.
func withInit(t *testing.T, script string) CreateOptions {
	t.Helper()
	self, err := elf.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	if libs, err := self.ImportedLibraries(); err != nil || len(libs) > 0 {
		t.Skip("the test binary needs libraries (-race), which a container has not: it cannot be the init of one")
	}
	o := shell(script)
	on := true
	o.HostConfig.Init = &on
	return o
}

func TestInitRunsTheCommandAsItsChild(t *testing.T) {
	r := newRig(t)
	// The init is not interrupted by signals of its own, which would reach the command; the
	// command is a child in a group of its own, does not see that, has no signal blocked or ignored that it
	// would not have without, and cannot write to the executable of its parent.
	out, code := r.output(withInit(t, `
		tr '\0' ' ' </proc/1/cmdline; echo
		cut -d' ' -f4-5 /proc/self/stat >/dev/null
		echo parent $PPID
		[ "$(cut -d' ' -f5 /proc/$$/stat)" = $$ ] && echo group
		grep -E '^Sig(Blk|Ign)' /proc/self/status
		tr '\0' '\n' </proc/1/environ | grep GODEBUG | sed 's/^/init /'
		echo "command GODEBUG=$GODEBUG"
		(echo x >>/sbin/docker-init) 2>&1 | grep -o 'Read-only file system'
		(echo x >>/proc/1/exe) 2>&1 | grep -o 'Read-only file system'
		exit 7`))
	if code != 7 {
		t.Errorf("exit code %d, want the command's", code)
	}
	for _, want := range []string{"/sbin/docker-init -- sh -c", "parent 1\n", "group\n", "SigBlk:\t0000000000000000\n", "SigIgn:\t0000000000000000\n",
		"init GODEBUG=asyncpreemptoff=1\n", "command GODEBUG=\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
	if n := strings.Count(out, "Read-only file system"); n != 2 {
		t.Errorf("%d of 2 writes to the executable are refused: %s", n, out)
	}
	// What clients see is the command.
	id := r.create(withInit(t, "true"))
	if got := r.inspect(id); got.Path != "sh" || got.HostConfig.Init == nil || !*got.HostConfig.Init {
		t.Errorf("inspect: %s %v", got.Path, got.HostConfig.Init)
	}
	// In another's PID namespace there is a first process already.
	o := withInit(t, "echo $PPID")
	o.HostConfig.PidMode = "host"
	if out, code := r.output(o); strings.Contains(out, "docker-init") || code != 0 {
		t.Errorf("in the host's namespace: %q, %d", out, code)
	}
}

func TestInitReapsOrphans(t *testing.T) {
	r := newRig(t)
	// Each inner shell leaves its sleep behind, which ends as a child of the init.
	out, code := r.output(withInit(t, `
		for i in $(seq 20); do
			p=$(sh -c 'sleep 0.01 >/dev/null & echo $!')
			while [ -d /proc/$p ]; do :; done
		done; echo reaped`))
	if out != "reaped\n" || code != 0 {
		t.Errorf("%q, %d", out, code)
	}
}

func TestInitPassesSignalsOn(t *testing.T) {
	r := newRig(t)
	for signal, want := range map[string]int{"TERM": 40, "USR1": 41, "HUP": 42, "RTMIN+3": 43, "URG": 44} {
		id := r.run(withInit(t, `trap 'exit 40' TERM; trap 'exit 41' USR1; trap 'exit 42' HUP; trap 'exit 43' 37; trap 'exit 44' URG; echo ready; while :; do sleep 0.01; done`))
		r.until("the traps", func() string { return missing(r.logged(id), "ready") })
		if err := r.Containers.Kill(r.ctx, id, signal); err != nil {
			t.Fatal(err)
		}
		if code := r.exit(id); code != want {
			t.Errorf("%s: exit code %d, want %d", signal, code, want)
		}
	}
	// A command that a signal kills: without an init it would ignore the signal.
	id := r.run(withInit(t, `echo ready; exec sleep 1000`))
	r.until("the command", func() string { return missing(r.logged(id), "ready") })
	if err := r.Containers.Kill(r.ctx, id, "INT"); err != nil {
		t.Fatal(err)
	}
	if code := r.exit(id); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
}

func TestInitWithoutACommandToRun(t *testing.T) {
	r := newRig(t)
	for command, want := range map[string]struct {
		code int
		text string
	}{
		"missing":          {127, "exec missing failed: No such file or directory"},
		"/bin/missing":     {127, "exec /bin/missing failed: No such file or directory"},
		"/etc/passwd":      {126, "exec /etc/passwd failed: Permission denied"},
		"/bin":             {126, "exec /bin failed: Permission denied"},
		"/etc/passwd/deep": {127, "exec /etc/passwd/deep failed: Not a directory"},
	} {
		o := withInit(t, "")
		o.Config.Cmd = []string{command}
		if out, code := r.output(o); code != want.code || !strings.Contains(out, want.text) {
			t.Errorf("%s: %d, %q", command, code, out)
		}
	}
	// As execvp(3) has it, and so any shell.
	out, code := r.output(withInit(t, `printf 'echo script $1\n' >/tmp/script; chmod +x /tmp/script; /sbin/docker-init -- /tmp/script word; /sbin/docker-init; exit $?`))
	if code != 1 || !strings.Contains(out, "script word\n") || !strings.Contains(out, "no command was given") {
		t.Errorf("%q, %d", out, code)
	}
}

// With a terminal the command has it in its hands: Ctrl-C is for the command.
func TestInitGivesTheTerminalAway(t *testing.T) {
	r := newRig(t)
	o := withInit(t, `trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.01; done`)
	o.Config.Tty, o.Config.OpenStdin = true, true
	id := r.create(o)
	c, conn := r.pipe()
	if err := r.Containers.Attach(r.ctx, id, AttachOptions{Stream: true, Stdin: true, Stdout: true, Conn: conn}); err != nil {
		t.Fatal(err)
	}
	r.start(id)
	r.until("the command", func() string { return missing(c.text(), "ready") })
	if _, err := c.conn.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	if code := r.exit(id); code != 9 {
		t.Errorf("exit code %d; %q", code, c.text())
	}
}

// One lives in every container, beside the shim.
func TestInitIsSmall(t *testing.T) {
	r := newRig(t)
	id := r.run(withInit(t, `echo ready; exec sleep 1000`))
	r.until("the command", func() string { return missing(r.logged(id), "ready") })
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", r.inspect(id).State.Pid))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(string(b))
	for line := range strings.Lines(string(b)) {
		var kib int
		if _, err := fmt.Sscanf(line, "Private_Dirty: %d kB", &kib); err == nil && kib > 4096 {
			t.Errorf("%d kB of private memory", kib)
		}
	}
}

// logged is what a container has written so far.
func (r *rig) logged(id string) string {
	r.t.Helper()
	var w text
	if err := r.Containers.Logs(r.ctx, id, LogsOptions{Stdout: true, Stderr: true, Tail: -1}, &w); err != nil {
		r.t.Fatal(err)
	}
	return w.out.String() + w.err.String()
}

// missing says that part is not in text, "" if it is.
func missing(text, part string) string {
	if strings.Contains(text, part) {
		return ""
	}
	return fmt.Sprintf("%q is not in %q", part, text)
}
