package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"berth/runtime/container"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// execFailed is runc's exit status when the process could not be run.
const execFailed = 255

func (a *app) exec(f values) (int, error) {
	code, err := a.execute(f)
	if err != nil {
		return execFailed, fmt.Errorf("exec failed: %w", err)
	}
	return code, nil
}

func (a *app) execute(f values) (int, error) {
	c, err := a.load(f)
	if err != nil {
		return 0, err
	}
	cgroups, err := subCgroups(f.list("cgroup"))
	if err != nil {
		return 0, err
	}
	p, err := execProcess(c, f)
	if err != nil {
		return 0, err
	}
	extra, err := preserved(f.number("preserve-fds"))
	if err != nil {
		return 0, err
	}
	fg, socket, err := a.foreground(p.Terminal, f)
	if err != nil {
		return 0, err
	}
	defer fg.close()
	proc, err := c.Exec(context.Background(), container.ExecOptions{Process: p, Stdin: a.stdin, Stdout: a.stdout, Stderr: a.stderr,
		ConsoleSocket: socket, PlainNewlines: fg.plain(), ExtraFiles: extra, Cgroups: cgroups, IgnorePaused: f.has("ignore-paused"), Warn: a.warn})
	if err != nil {
		return 0, err
	}
	if err := a.announce(f, nil, proc); err != nil {
		return 0, err
	}
	if err := fg.attach(proc); err != nil {
		return 0, err
	}
	if f.has("detach") {
		return 0, nil
	}
	return fg.wait(proc)
}

// subCgroups reads --cgroup: one path for all controllers, or a path for each
// list of controllers, CONTROLLER,CONTROLLER:PATH.
func subCgroups(args []string) (map[string]string, error) {
	paths := map[string]string{}
	for _, arg := range args {
		controllers, at, has := strings.Cut(arg, ":")
		if strings.Contains(at, ":") {
			return nil, fmt.Errorf("invalid --cgroup argument: %s", arg)
		}
		if !has {
			if len(args) != 1 {
				return nil, fmt.Errorf("invalid --cgroup argument: %s (missing <controller>: prefix)", arg)
			}
			paths[""] = arg
			continue
		}
		for c := range strings.SplitSeq(controllers, ",") {
			if c == "" {
				return nil, fmt.Errorf("invalid --cgroup argument: %s (empty <controller> prefix)", arg)
			}
			if _, ok := paths[c]; ok {
				return nil, fmt.Errorf("invalid --cgroup argument(s): controller %s specified multiple times", c)
			}
			paths[c] = at
		}
	}
	return paths, nil
}

// execProcess makes the process of an exec: the one in --process, or the
// container's own with what the flags change.
func execProcess(c *container.Container, f values) (*specs.Process, error) {
	if path := f.get("process"); path != "" {
		var p specs.Process
		return &p, container.DecodeFile(path, &p)
	}
	if len(f.args) < 2 {
		return nil, errors.New("process args cannot be empty")
	}
	spec, err := container.LoadSpec(c.Bundle())
	if err != nil {
		return nil, err
	}
	p := spec.Process
	p.Args = f.args[1:]
	p.Terminal = f.has("tty")
	if cwd := f.get("cwd"); cwd != "" {
		p.Cwd = cwd
	}
	if l := f.get("process-label"); l != "" {
		p.SelinuxLabel = l
	}
	if l := f.get("apparmor"); l != "" {
		p.ApparmorProfile = l
	}
	if f.given("no-new-privs") {
		p.NoNewPrivileges = f.has("no-new-privs")
	}
	p.Env = append(p.Env, f.list("env")...)
	addCapabilities(p, f.list("cap"))
	return p, setUser(p, f)
}

func addCapabilities(p *specs.Process, names []string) {
	if len(names) == 0 {
		return
	}
	if p.Capabilities == nil {
		p.Capabilities = &specs.LinuxCapabilities{}
	}
	c := p.Capabilities
	c.Bounding = append(c.Bounding, names...)
	c.Effective = append(c.Effective, names...)
	c.Permitted = append(c.Permitted, names...)
	// Ambient ones have to be inheritable as well, so only where those are.
	if len(c.Inheritable) > 0 {
		c.Inheritable = append(c.Inheritable, names...)
		c.Ambient = append(c.Ambient, names...)
	}
}

func setUser(p *specs.Process, f values) error {
	number := func(flag, s string) (uint32, error) {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("--%s: %q is not a number", flag, s)
		}
		return uint32(n), nil
	}
	var err error
	if user := f.get("user"); user != "" {
		uid, gid, has := strings.Cut(user, ":")
		if p.User.UID, err = number("user", uid); err != nil {
			return err
		}
		if has {
			if p.User.GID, err = number("user", gid); err != nil {
				return err
			}
		}
	}
	for _, g := range f.list("additional-gids") {
		gid, err := number("additional-gids", g)
		if err != nil {
			return err
		}
		p.User.AdditionalGids = append(p.User.AdditionalGids, gid)
	}
	return nil
}
