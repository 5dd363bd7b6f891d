// Package criu runs CRIU (criu.org), which saves the processes of a container as
// files and makes processes of them again.
//
// It is driven by its command line. Its other interface, protocol buffers over a
// socket, would cost every start of the runtime that library; what only that can
// do is to hand a new terminal to whoever restores, so containers with a terminal
// are refused.
package criu

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// Options are what a checkpoint and a restore have in common.
type Options struct {
	Binary         string // a path, or a name in $PATH
	Images, Work   string // directories of the images, and of logs
	Root           string // of the container's file system
	ManageCgroups  string // soft, full, strict or ignore
	EmptyNet       bool   // leave the network namespace's devices to others
	TCPEstablished bool
	ExtUnixSockets bool
	ShellJob       bool
	FileLocks      bool
	AutoDedup      bool
	LazyPages      bool
	External       []string // resources that are not the container's own, in CRIU's notation
}

func (o *Options) args() []string {
	args := []string{"--images-dir", o.Images, "--work-dir", o.Work, "-v4", "--root", o.Root, "--manage-cgroups=" + o.ManageCgroups}
	for _, flag := range []struct {
		set  bool
		args []string
	}{
		{o.EmptyNet, []string{"--empty-ns", "net"}}, {o.TCPEstablished, []string{"--tcp-established"}}, {o.ExtUnixSockets, []string{"--ext-unix-sk"}},
		{o.ShellJob, []string{"--shell-job"}}, {o.FileLocks, []string{"--file-locks"}}, {o.AutoDedup, []string{"--auto-dedup"}},
		{o.LazyPages, []string{"--lazy-pages"}},
	} {
		if flag.set {
			args = append(args, flag.args...)
		}
	}
	for _, e := range o.External {
		args = append(args, "--external", e)
	}
	return args
}

// Dump says what to save.
type Dump struct {
	Options
	PID          int
	Freezer      string // the cgroup to freeze meanwhile; "" leaves that to CRIU
	LeaveRunning bool
	PreDump      bool   // memory only, for a later dump to go on from
	Parent       string // the images to go on from, relative to Images
	PageServer   string // ADDRESS:PORT
	StatusFD     int    // where CRIU writes that lazy pages can be asked for; negative: nowhere
}

// Run saves.
func (d *Dump) Run() error {
	verb := "dump"
	if d.PreDump {
		verb = "pre-dump"
	}
	args := append([]string{verb, "--tree", strconv.Itoa(d.PID), "--log-file", verb + ".log"}, d.args()...)
	if d.Freezer != "" {
		args = append(args, "--freeze-cgroup", d.Freezer)
	}
	if d.LeaveRunning && !d.PreDump {
		args = append(args, "--leave-running")
	}
	if d.PreDump || d.Parent != "" {
		args = append(args, "--track-mem")
	}
	if d.Parent != "" {
		args = append(args, "--prev-images-dir", d.Parent)
	}
	if d.PageServer != "" {
		i := strings.LastIndexByte(d.PageServer, ':')
		if i <= 0 || i == len(d.PageServer)-1 {
			return fmt.Errorf("page server %q: use ADDRESS:PORT: %w", d.PageServer, errdefs.ErrInvalidArgument)
		}
		args = append(args, "--page-server", "--address", d.PageServer[:i], "--port", d.PageServer[i+1:])
	}
	var files []*os.File
	if d.StatusFD >= 0 {
		files = append(files, os.NewFile(uintptr(d.StatusFD), "status"))
		args = append(args, "--status-fd", "3")
	}
	p, err := start(d.Binary, args, append([]*os.File{nil, nil, nil}, files...), nil)
	if err != nil {
		return err
	}
	return p.wait(path.Join(d.Work, verb+".log"))
}

// Restore says what to restore.
type Restore struct {
	Options
	// Files are the restored process's standard streams and what else Inherit
	// names, as fd[N]:RESOURCE where N is the place in Files.
	Files       []*os.File
	Inherit     []string
	CgroupRoots []string // where the cgroups are now, [CONTROLLER:]PATH
	LSMProfile  string
	LSMContext  string
	PIDFile     string
}

// Start begins to restore, in a cgroup of v2 or, with nil, in those of the calling
// thread. The restored process is a child of this one.
func (r *Restore) Start(cgroup *os.File) (*Run, error) {
	args := append([]string{"restore", "--restore-detached", "--restore-sibling", "--pidfile", r.PIDFile, "--log-file", "restore.log"}, r.args()...)
	for _, i := range r.Inherit {
		args = append(args, "--inherit-fd", i)
	}
	for _, root := range r.CgroupRoots {
		args = append(args, "--cgroup-root", root)
	}
	if r.LSMProfile != "" {
		args = append(args, "--lsm-profile", r.LSMProfile)
	}
	if r.LSMContext != "" {
		args = append(args, "--lsm-mount-context", r.LSMContext)
	}
	p, err := start(r.Binary, args, r.Files, cgroup)
	if err != nil {
		return nil, err
	}
	p.log = path.Join(r.Work, "restore.log")
	return p, nil
}

// Run is a running CRIU.
type Run struct {
	process *os.Process
	verb    string
	log     string
}

func start(binary string, args []string, files []*os.File, cgroup *os.File) (*Run, error) {
	bin, err := find(binary)
	if err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("run criu: %w", err)
	}
	defer null.Close()
	for i := range files {
		if files[i] == nil {
			files[i] = null // what it has to say is in its log
		}
	}
	attr := &os.ProcAttr{Files: files, Env: os.Environ()}
	if cgroup != nil {
		attr.Sys = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	}
	p, err := os.StartProcess(bin, append([]string{"criu"}, args...), attr)
	if err != nil {
		return nil, fmt.Errorf("run criu: %w", err)
	}
	return &Run{process: p, verb: args[0]}, nil
}

// find finds the binary in $PATH. (Package os/exec would have the runtime start
// late; see package early.)
func find(binary string) (string, error) {
	if strings.Contains(binary, "/") {
		if err := unix.Access(binary, unix.X_OK); err != nil {
			return "", fmt.Errorf("criu is needed to checkpoint and restore, and %s cannot be run (install it, or name it with --criu): %w", binary, err)
		}
		return binary, nil
	}
	for _, dir := range strings.Split(os.Getenv("PATH"), ":") {
		if at := path.Join(dir, binary); dir != "" && unix.Access(at, unix.X_OK) == nil {
			return at, nil
		}
	}
	return "", fmt.Errorf("criu is needed to checkpoint and restore, and there is no %s in $PATH (install it, or name it with --criu): %w", binary, errdefs.ErrFailedPrecondition)
}

// Wait waits for the end.
func (r *Run) Wait() error { return r.wait(r.log) }

func (r *Run) wait(log string) error {
	state, err := r.process.Wait()
	if err != nil {
		return fmt.Errorf("run criu: %w", err)
	}
	if state.Success() {
		return nil
	}
	why := firstError(log)
	if why == "" {
		why = state.String()
	}
	return fmt.Errorf("criu %s: %s (log file: %s)", r.verb, why, log)
}

// firstError finds the first error in the log, which the others follow from.
func firstError(log string) string {
	f, err := os.Open(log)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 16<<20))
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if i := strings.Index(line, "Error ("); i >= 0 {
			return strings.TrimSpace(line[i:])
		}
	}
	return ""
}
