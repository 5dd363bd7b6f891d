package container

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"berth/runtime/procfs"
	"berth/runtime/rootfs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// resolve completes what depends on the container's files: where the command is,
// and HOME. It runs on a thread whose root is the container's; proc is the host's.
func resolve(p *specs.Process, proc *os.File) (paths, env []string, err error) {
	if paths, err = candidates(p); err != nil {
		return nil, nil, err
	}
	return paths, environment(p, proc), nil
}

// environment is the process's with HOME in it, and with each name once: where one
// is given again, as those of an exec are, the last value counts.
func environment(p *specs.Process, proc *os.File) []string {
	env := make([]string, 0, len(p.Env)+1)
	at := make(map[string]int, len(p.Env)+1)
	set := func(e string) {
		name, _, _ := strings.Cut(e, "=")
		if i, ok := at[name]; ok {
			env[i] = e
			return
		}
		at[name] = len(env)
		env = append(env, e)
	}
	for _, e := range p.Env {
		set(e)
	}
	if lookupEnv(env, "HOME") == "" {
		set("HOME=" + home(p.User.UID, proc))
	}
	return env
}

// maxCandidates bounds the places that init tries, whatever PATH an image has.
const maxCandidates = 64

// candidates lists the files that the command may be, most wanted first. At
// least the first is there and executable by somebody; which one can really be
// run shows when init tries, with the rights of its user.
func candidates(p *specs.Process) ([]string, error) {
	name := p.Args[0]
	if strings.Contains(name, "/") {
		at := name
		if !path.IsAbs(at) {
			at = path.Join(p.Cwd, at)
		}
		if err := executable(at); err != nil {
			return nil, commandError(name, "stat "+at, err)
		}
		return []string{at}, nil
	}
	var list []string
	var refused error
	for _, dir := range strings.Split(lookupEnv(p.Env, "PATH"), ":") {
		if dir == "" {
			dir = "."
		}
		if !path.IsAbs(dir) {
			dir = path.Join(p.Cwd, dir)
		}
		at := path.Join(dir, name)
		if slices.Contains(list, at) || len(list) == maxCandidates {
			continue
		}
		switch err := executable(at); {
		case err == nil:
			list = append(list, at)
		case !errors.Is(err, fs.ErrNotExist) && refused == nil:
			refused = commandError(name, "stat "+at, err)
		}
	}
	if len(list) > 0 {
		return list, nil
	}
	if refused != nil && errors.Is(refused, ErrNotExecutable) {
		return nil, refused
	}
	return nil, &CommandError{Name: name, Reason: "executable file not found in $PATH", Kind: ErrNotFound}
}

func executable(at string) error {
	var st unix.Stat_t
	if err := unix.Stat(at, &st); err != nil {
		return err
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return unix.EISDIR
	case st.Mode&unix.S_IFMT != unix.S_IFREG, st.Mode&0o111 == 0:
		return unix.EACCES
	}
	return nil
}

// execError says why the kernel did not run a command. Its file has been found: what is
// not there then is its interpreter.
func execError(command string, errno unix.Errno) error {
	return commandError(command, "exec "+command, errno)
}

func commandError(name, attempt string, err error) error {
	e := &CommandError{Name: name, Reason: attempt + ": " + err.Error(), Kind: ErrNotFound}
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		e.Reason, e.Kind = "permission denied", ErrNotExecutable
	case errors.Is(err, unix.EISDIR):
		e.Reason, e.Kind = "is a directory", ErrNotExecutable
	case errors.Is(err, unix.ENOEXEC):
		e.Reason, e.Kind = "exec format error", ErrNotExecutable
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
	default:
		e.Reason, e.Kind = err.Error(), ErrNotExecutable
	}
	return e
}

func lookupEnv(env []string, name string) string {
	value := ""
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v // the last one counts, as in a shell
		}
	}
	return value
}

// home finds the home directory of a user in the container's /etc/passwd. What is
// no ordinary file there is not opened: a fifo would never be read to its end, nor
// would some devices, and opening others does something.
func home(uid uint32, proc *os.File) string {
	at, err := rootfs.OpenIn("/", "/etc/passwd")
	if err != nil {
		return "/"
	}
	defer at.Close()
	if st, err := at.Stat(); err != nil || !st.Mode().IsRegular() {
		return "/"
	}
	f, err := procfs.Reopen(proc, at, unix.O_RDONLY, "/etc/passwd")
	if err != nil {
		return "/"
	}
	defer f.Close()
	want := strconv.FormatUint(uint64(uid), 10)
	for lines := bufio.NewScanner(f); lines.Scan(); { // ends at an absurdly long one
		f := strings.Split(strings.TrimSpace(lines.Text()), ":")
		if len(f) >= 6 && f[2] == want && f[5] != "" {
			return f[5]
		}
	}
	return "/"
}
