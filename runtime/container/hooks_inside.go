package container

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// startHookProcess is the process of a spec as far as its startContainer hooks share
// it: who it is and what it may do.
func startHookProcess(spec *specs.Spec) *specs.Process {
	if spec.Hooks == nil || len(spec.Hooks.StartContainer) == 0 {
		return nil
	}
	p := *spec.Process
	p.Args, p.Terminal, p.ConsoleSize = nil, false, nil
	return &p
}

// startHooks runs the hooks inside the container before its command. They are
// files of the container, so they get the user, the rights and the filter of its
// command, and are in its cgroups.
func (c *Container) startHooks() error {
	if c.rec.Hooks == nil || len(c.rec.Hooks.StartContainer) == 0 {
		return nil
	}
	pid, err := innerPID(c.rec.PID)
	if err != nil {
		return err
	}
	state, err := c.hookState(specs.StateCreated, pid)
	if err != nil {
		return err
	}
	return eachHook("startContainer", c.rec.Hooks.StartContainer, state, c.innerHook)
}

// innerHook starts a hook in the container.
func (c *Container) innerHook(h specs.Hook, args []string, in, out *os.File) (hookProcess, error) {
	p := *c.rec.Process
	p.Args, p.Env = args, h.Env
	run, err := c.Exec(context.Background(), ExecOptions{Process: &p, Stdin: in, Stdout: out, Stderr: out, Warn: c.warn, hook: h.Path})
	if err != nil {
		return nil, err
	}
	return innerProcess{run}, nil
}

type innerProcess struct{ *Process }

func (p innerProcess) Kill() error { return p.Signal(unix.SIGKILL) }

func (p innerProcess) Wait() error {
	defer p.pidfd.Close()
	status, err := p.Process.Wait()
	switch {
	case err != nil:
		return err
	case status.Signaled():
		return fmt.Errorf("signal: %s", status.Signal())
	case status.ExitStatus() != 0:
		return fmt.Errorf("exit status %d", status.ExitStatus())
	}
	return nil
}

// innerPID is the number of a process in its own pid namespace, which hooks in
// the container are told (runtime-spec runtime.md, "State").
func innerPID(pid int) (int, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if list, ok := strings.CutPrefix(line, "NSpid:"); ok {
			numbers := strings.Fields(list)
			return strconv.Atoi(numbers[len(numbers)-1])
		}
	}
	return pid, nil // a kernel without pid namespaces
}
