package shim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"berth/shim/external"
	"berth/shim/wire"
)

// logName is the file in a shim's directory that takes what the Go runtime says when
// the shim crashes.
const logName = "shim.err"

// finishTime is how long a shim whose container has ended may take to clear its
// directory.
const finishTime = 5 * time.Second

// shimEnv is all the environment of a shim. No garbage is collected while the container
// is being created: it is a few hundred kilobytes, and the shim gives all of it back
// once the container runs. The limit is what makes the collector run in a busy shim.
// Huge pages would make each shim cost two megabytes, and GOMAXPROCS being given,
// nothing needs to watch the quota of its cgroup. No thread needs room for the stacks of
// profiles that nobody takes.
var shimEnv = []string{"GOGC=off", "GOMEMLIMIT=16MiB", "GOMAXPROCS=2", "GODEBUG=disablethp=1,containermaxprocs=0,updatemaxprocs=0,profstackdepth=0", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

// Start spawns a shim for cfg and returns when the container is created and parked. If
// it returns an error nothing is left: no process, no mount, no cgroup, no directory.
// The error is AlreadyExists if a shim lives in cfg.Dir.
//
// trees are detached mounts, one for each of cfg.Trees that is not Of another; they stay the caller's to close.
func Start(ctx context.Context, self Executable, cfg Config, trees ...*os.File) (*Client, error) {
	if err := validate(cfg); err != nil {
		return nil, err
	}
	if want := wire.TreeFiles(cfg.Trees); len(trees) != want {
		return nil, fmt.Errorf("start shim of container %s: %d trees for %d places: %w", cfg.ID, len(trees), want, errdefs.ErrInvalidArgument)
	}
	if err := claim(ctx, cfg.Dir); err != nil {
		return nil, err
	}
	c, err := spawn(ctx, self, cfg, trees)
	if err != nil {
		err = fmt.Errorf("start shim of container %s: %w", cfg.ID, err)
		rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		defer cancel()
		if rerr := Reap(rctx, cfg.Dir, cfg.RuntimeRoot, cfg.ID); rerr != nil {
			err = errors.Join(err, rerr)
		}
		os.Remove(cfg.MountPoint) // fails when it is not empty, and then is not ours
		return nil, err
	}
	return c, nil
}

// validate finds what would fail later with a worse message.
func validate(cfg Config) error {
	for name, path := range map[string]string{"directory": cfg.Dir, "runtime root": cfg.RuntimeRoot, "mount point": cfg.MountPoint, "exit path": cfg.ExitPath} {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("start shim of container %s: %s %q is not an absolute path: %w", cfg.ID, name, path, errdefs.ErrInvalidArgument)
		}
	}
	if rt := cfg.Runtime.Path; rt != "" && (!filepath.IsAbs(rt) || cfg.Spec == nil || cfg.Spec.Linux == nil) {
		return fmt.Errorf("start shim of container %s: runtime %q is not an absolute path, or the spec is not Linux's: %w", cfg.ID, rt, errdefs.ErrInvalidArgument)
	}
	if cfg.Spec == nil || cfg.Spec.Process == nil {
		return fmt.Errorf("start shim of container %s: no process given: %w", cfg.ID, errdefs.ErrInvalidArgument)
	}
	if cfg.Log.Driver == "json-file" && !filepath.IsAbs(cfg.Log.Path) && (cfg.Log.Path != "" || cfg.Log.Remote.Network == "") {
		return fmt.Errorf("start shim of container %s: log path %q is not an absolute path: %w", cfg.ID, cfg.Log.Path, errdefs.ErrInvalidArgument)
	}
	return nil
}

// claim makes the shim's directory, after removing what a killed shim left in it.
func claim(ctx context.Context, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil {
		return fmt.Errorf("make shim directory: %w", err)
	}
	err := os.Mkdir(dir, 0o700)
	if !errors.Is(err, os.ErrExist) {
		if err != nil {
			return fmt.Errorf("make shim directory: %w", err)
		}
		return nil
	}
	if err := awaitFinish(ctx, dir); err != nil {
		return fmt.Errorf("make shim directory: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clear shim directory: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make shim directory: %w", err)
	}
	return nil
}

// awaitFinish waits while the shim in dir finishes, its container or its engine having ended. The
// error is AlreadyExists if the shim lives on.
func awaitFinish(ctx context.Context, dir string) error {
	for end := time.Now().Add(finishTime); ; time.Sleep(2 * time.Millisecond) {
		c := &Client{dir: dir}
		info, err := c.info(ctx)
		switch {
		case errdefs.IsNotFound(err) && !comesUp(dir):
			return nil
		case errdefs.IsNotFound(err), errdefs.IsUnavailable(err), err == nil && info.Status == StatusStopped:
			if time.Now().Before(end) && ctx.Err() == nil {
				continue
			}
		}
		return fmt.Errorf("a shim lives in %s: %w", dir, errdefs.ErrAlreadyExists)
	}
}

// comesUp tells whether there is a shim for dir that does not listen yet, by the lock that its
// error log has for as long as somebody has it open. An engine that was killed leaves such a shim.
func comesUp(dir string) bool {
	f, err := os.Open(filepath.Join(dir, logName))
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// spawn runs the process and waits until it has parked the container.
func spawn(ctx context.Context, self Executable, cfg Config, trees []*os.File) (c *Client, err error) {
	log, err := os.OpenFile(filepath.Join(cfg.Dir, logName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open shim's error log: %w", err)
	}
	defer log.Close()
	if err := unix.Flock(int(log.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil { // see comesUp
		return nil, fmt.Errorf("lock shim's error log: %w", err)
	}
	var p *child
	var along []int // descriptors for a shim that could not inherit them
	if len(trees) == 0 {
		p = self.spares.take(cfg.ID)
		along = []int{int(log.Fd())}
	}
	if p == nil {
		along = nil
		if p, err = self.fork(cfg.ID, log, trees); err != nil {
			return nil, err
		}
	}
	defer p.conn.Close()
	defer func() {
		if err != nil {
			unix.PidfdSendSignal(p.pidfd, unix.SIGKILL, nil, 0)
		}
		go reapChild(p.pidfd)
	}()

	// While the process comes up.
	if err := os.Remove(cfg.ExitPath); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove old exit record: %w", err)
	}
	if err := os.MkdirAll(cfg.MountPoint, 0o700); err != nil {
		return nil, fmt.Errorf("make mount point: %w", err)
	}
	if cfg.Spec.Linux != nil && cfg.Runtime.Built() {
		// Most of a spec is its system calls: here the code that reads them is warm, and
		// there is nothing else to do.
		if cfg.Seccomp, err = self.filters.compile(cfg.Spec.Linux.Seccomp); err != nil {
			return nil, err
		}
	}
	if err := writeSpec(cfg); err != nil {
		return nil, err
	}
	if !cfg.Runtime.Built() {
		cfg.Runtime.Cgroups = cfg.Spec.Linux.CgroupsPath
		if err := external.New(cfg.Dir, cfg.ID, cfg.Runtime).Save(); err != nil {
			return nil, err
		}
	}
	c = &Client{dir: cfg.Dir, id: cfg.ID, shimPID: p.pid, exitPath: cfg.ExitPath}
	m, err := c.ask(ctx, p.conn, wire.TypeCreate, cfg.Encode(), wire.TypePID, along...)
	if err != nil {
		return nil, withCrash(cfg.Dir, err)
	}
	if c.pid, err = wire.DecodePID(m.Body); err != nil {
		return nil, err
	}
	return c, nil
}

// fork starts the process: in a session of its own, so no terminal signals it, and in a
// mount namespace of its own, a copy of ours with every mount's propagation as it is.
// clone(2) makes that namespace rather than unshare(2) because it is then the namespace
// of all threads.
//
// The trees follow the socket; they are mounted nowhere, and gone with the last of who
// holds them.
func (x Executable) fork(id string, log *os.File, trees []*os.File) (*child, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	conn, sock, err := wire.Pair()
	if err != nil {
		return nil, err
	}
	defer sock.Close()
	files := []uintptr{null.Fd(), null.Fd(), log.Fd(), sock.Fd()}
	for _, t := range trees {
		files = append(files, t.Fd())
	}
	c := &child{conn: conn, pidfd: -1}
	c.pid, err = syscall.ForkExec(x.Path(), []string{"berth-shim", id}, &syscall.ProcAttr{
		Dir:   "/",
		Env:   shimEnv,
		Files: files,
		Sys:   &syscall.SysProcAttr{Setsid: true, Cloneflags: unix.CLONE_NEWNS, PidFD: &c.pidfd},
	})
	runtime.KeepAlive(x.file)
	runtime.KeepAlive(trees)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("spawn process: %w", err)
	}
	return c, nil
}

// reapChild collects the exit of a shim that ends while its engine lives, and closes
// pidfd. It waits in the poller, so a shim costs the engine a goroutine and not a
// thread.
func reapChild(pidfd int) {
	if pidfd < 0 { // no pidfds before Linux 5.3
		return
	}
	unix.SetNonblock(pidfd, true)
	f := os.NewFile(uintptr(pidfd), "pidfd")
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	raw.Read(func(fd uintptr) bool {
		var info unix.Siginfo
		for {
			err := unix.Waitid(unix.P_PIDFD, int(fd), &info, unix.WEXITED|unix.WNOHANG, nil)
			if err != unix.EINTR {
				return err != nil || info.Signo != 0
			}
		}
	})
}

// oldestVersion is the version of the specification that external runtimes are told. They
// leave out what they do not know, but some refuse a version that they do not know
// (crun up to 1.8).
const oldestVersion = "1.0.2"

// writeSpec writes the bundle's config.json, without the system call filter that is
// passed on compiled. The shim's
// own place in the order of victims of an out-of-memory kill must not pass on to the
// container.
func writeSpec(cfg Config) error {
	spec := *cfg.Spec
	if !cfg.Runtime.Built() {
		spec.Version = oldestVersion
	}
	if spec.Linux != nil && spec.Linux.Seccomp != nil && cfg.Runtime.Built() {
		linux := *spec.Linux
		linux.Seccomp = nil
		spec.Linux = &linux
	}
	if spec.Process.OOMScoreAdj == nil {
		process := *spec.Process
		process.OOMScoreAdj = new(int)
		spec.Process = &process
	}
	b, err := json.Marshal(&spec)
	if err != nil {
		return fmt.Errorf("encode spec: %w", err)
	}
	if err := os.WriteFile(filepath.Join(cfg.Dir, "config.json"), b, 0o600); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// withCrash adds to err what a shim that crashed said.
func withCrash(dir string, err error) error {
	if !errdefs.IsUnavailable(err) {
		return err
	}
	b, rerr := os.ReadFile(filepath.Join(dir, logName))
	text := strings.TrimSpace(string(b))
	if rerr != nil || text == "" {
		return err
	}
	if len(text) > 2000 {
		text = text[:2000] + " …"
	}
	return fmt.Errorf("%w: %s", err, text)
}

// waitGone waits until the process behind pidfd has ended, at most as long as ctx
// lives.
func waitGone(ctx context.Context, pidfd int) error {
	for {
		timeout := 100
		if d, ok := ctx.Deadline(); ok {
			timeout = int(min(time.Until(d), 100*time.Millisecond).Milliseconds())
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, max(timeout, 0))
		if n > 0 {
			return nil
		}
		if err != nil && err != unix.EINTR {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
