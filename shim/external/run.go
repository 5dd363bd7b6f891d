package external

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"berth/runtime/plainjson"
	"berth/shim/wire"
)

// env is all the environment of a runtime; the shim's own is made for a shim.
var env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

// maxOutput is how much is read of what a runtime says.
const maxOutput = 64 << 10

// failure is why a runtime did not do what it was told, of the kind wire.ErrExternal.
type failure struct{ text string }

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return wire.ErrExternal }

// control runs a command that starts nothing. What it prints is for its error.
func (c *Container) control(what string, args ...string) error {
	out, err := os.CreateTemp(c.dir, "out-")
	if err != nil {
		return fmt.Errorf("call the runtime of container %s: %w", c.id, err)
	}
	defer os.Remove(out.Name())
	defer out.Close()
	err = c.run(what, Stdio{Stdout: out, Stderr: out}, args...)
	var failed *failure
	if text := printed(out); errors.As(err, &failed) && strings.HasSuffix(failed.text, silent) && text != "" {
		return &failure{strings.TrimSuffix(failed.text, silent) + text}
	}
	return err
}

// silent ends the error of a runtime that wrote nothing into its log.
const silent = "the runtime does not say why"

// run runs the runtime to its end. The errors have containerd's words, which docker's
// users look for.
func (c *Container) run(what string, io Stdio, args ...string) error {
	log, err := os.CreateTemp(c.dir, "log-")
	if err != nil {
		return fmt.Errorf("call the runtime of container %s: %w", c.id, err)
	}
	defer os.Remove(log.Name())
	defer log.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("call the runtime of container %s: %w", c.id, err)
	}
	defer null.Close()
	files := make([]uintptr, 3)
	for i, f := range []*os.File{io.Stdin, io.Stdout, io.Stderr} {
		if f == nil {
			f = null
		}
		files[i] = f.Fd()
	}
	argv := append([]string{c.rt.Path}, c.rt.Args...)
	argv = append(argv, "--root", path.Join(c.dir, stateName), "--log", log.Name(), "--log-format", "json")
	pid, err := fork(func() (int, error) {
		return syscall.ForkExec(c.rt.Path, append(argv, args...), &syscall.ProcAttr{Dir: c.dir, Env: env, Files: files})
	})
	if err != nil {
		return &failure{fmt.Sprintf("OCI runtime %s failed: fork/exec %s: %v", what, c.rt.Path, err)}
	}
	defer Forget(pid)
	var status unix.WaitStatus
	for {
		if _, err = unix.Wait4(pid, &status, 0, nil); err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("wait for the runtime of container %s: %w", c.id, err)
	}
	if status.Exited() && status.ExitStatus() == 0 {
		return nil
	}
	reason := lastError(printed(log))
	if reason == "" {
		reason = fmt.Sprintf("%s: exit status %d: %s", c.rt.Path, status.ExitStatus(), silent)
	}
	return &failure{fmt.Sprintf("OCI runtime %s failed: %s", what, reason)}
}

// printed is what is in a file of a runtime's output.
func printed(f *os.File) string {
	b := make([]byte, maxOutput)
	n, _ := f.ReadAt(b, 0) // the end of the file is as good as any error
	return strings.TrimSpace(string(b[:n]))
}

// lastError is the last message of the level error in a log.
func lastError(log string) (reason string) {
	for line := range strings.Lines(log) {
		var entry struct {
			Level string `json:"level"`
			Msg   string `json:"msg"`
		}
		if plainjson.Unmarshal([]byte(line), &entry) == nil && entry.Level == "error" {
			reason = strings.TrimSpace(entry.Msg)
		}
	}
	return reason
}
