package initproc

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"berth/runtime/caps"
	"berth/runtime/seccomp"
	"berth/runtime/sync"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Process is what init needs to know to become the container's process. All
// numbers are descriptors of the parent at the time of the fork.
type Process struct {
	Spec       *specs.Process
	Stdio      [3]int     // not used with a terminal
	Chown      [3]bool    // those of Stdio to give to the command's user
	null       [3]bool    // those of Stdio that are the null device
	Extra      []int      // become 3, 4, …
	Terminal   int        // of an exec that has one, which needs no Built message then
	Await      bool       // an exec waits for Built all the same
	Sync       int        // init's end of the build connection
	Listen     int        // where a start is awaited; negative: run at once
	Cgroups    []Joinable // hierarchies to join by writing to a file
	CgroupNS   bool       // make a cgroup namespace once joined
	TimeNS     int        // descriptor of the time namespace to join; 0 is none
	NoGroups   bool       // the user namespace does not let groups be set
	Proc       []ProcMount
	Keyring    string // name of the new session keyring, "" for none
	Caps       caps.Sets
	Seccomp    seccomp.Filter
	ChangeRoot bool // it was not pivoted to, and comes with Built
	Settings   Settings
	Labels     []Label
	HostProc   int // the host's /proc, for Labels
	// Known once the root file system stands:
	Paths []string // where the command may be, in the order to try
	Env   []string

	terminal any // its descriptor, or the register that holds it
	labels   []Reg
}

// Joinable is a cgroup's tasks or cgroup.procs file, open for writing.
type Joinable struct {
	Controller string
	FD         int
}

// ProcMount is one mount of a proc file system. It has to be made by init, as
// it belongs to the pid namespace of who makes it.
type ProcMount struct {
	Data  []string
	Attrs uint64
}

// lowest is the lowest descriptor number that is not one of the command's own.
func (c *Process) lowest() int { return 3 + len(c.Extra) }

// Size is the room that the arguments of this process's program need.
func Size(s *specs.Process, filter int) int {
	n := 1<<18 + filter + 4*len(s.User.AdditionalGids)
	for _, v := range [][]string{s.Args, s.Env} {
		for _, a := range v {
			n += 2*len(a) + 32
		}
	}
	// The environment and each candidate path stand in the program once, and
	// each may be as long as the arguments together.
	return 2 * n
}

// Enter adds what init does while its parent builds the root file system.
func (p *Program) Enter(c *Process) {
	p.ReportTo(c.Sync)
	p.signalMask()
	// The parent gone before this line shows as end of file when awaiting it.
	p.Call("ask to die with the parent", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, int(unix.SIGKILL), 0, 0, 0)
	// Nobody in the container may trace init or open its /proc files while it
	// still has the host's descriptors and rights.
	p.Call("become undumpable", unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	zero := p.Bytes([]byte("0"))
	for _, j := range c.Cgroups {
		p.Call("join the "+j.Controller+" cgroup", unix.SYS_WRITE, j.FD, zero, 1)
	}
	if c.TimeNS != 0 {
		// Only a process of one thread and memory of its own may.
		p.Call("join the time namespace", unix.SYS_SETNS, c.TimeNS, unix.CLONE_NEWTIME)
	}
	if c.CgroupNS {
		p.Call("make the cgroup namespace", unix.SYS_UNSHARE, unix.CLONE_NEWCGROUP)
	}
	p.closeOthers(c)
	p.openLabels(c)
	c.terminal = c.Terminal
	if c.Listen < 0 { // an exec has nothing to make
		if c.Await {
			p.await(c)
		}
		return
	}
	made := sync.Message{Kind: sync.Made}.Encode()
	msg, fds := p.rightsMessage(made, len(c.Proc))
	for i, m := range c.Proc {
		p.mountProc(m, fds[i])
	}
	p.Call("tell the parent what is made", unix.SYS_SENDMSG, c.Sync, msg, unix.MSG_NOSIGNAL)
	c.terminal = p.await(c)
}

// await waits for Built. It has to be the last operation at the fork, as what
// the parent adds later is only seen after it.
func (p *Program) await(c *Process) (terminal Reg) {
	// Fewer descriptors may come than there is room for.
	msg, fds := p.rightsMessage([]byte{0}, 2)
	p.Expect("wait for the parent", 1, unix.SYS_RECVMSG, c.Sync, msg, unix.MSG_CMSG_CLOEXEC)
	if !c.ChangeRoot {
		return fds[0]
	}
	p.Call("enter the root file system", unix.SYS_FCHDIR, fds[0])
	p.Call("change root", unix.SYS_CHROOT, p.String("."))
	return fds[1]
}

// lasting are the descriptors that init keeps while it waits.
func (c *Process) lasting() []int {
	keep := append([]int{c.Sync}, c.Extra...)
	if c.Listen >= 0 {
		keep = append(keep, c.Listen)
	}
	if !c.Spec.Terminal {
		keep = append(keep, c.Stdio[:]...)
	} else if c.Listen < 0 {
		keep = append(keep, c.Terminal)
	}
	if len(c.Labels) > 0 {
		keep = append(keep, c.HostProc) // closed once the labels' files are open
	}
	return keep
}

// Descriptors are all that the program names.
func (c *Process) Descriptors() []int {
	keep := c.lasting()
	for _, j := range c.Cgroups {
		keep = append(keep, j.FD)
	}
	if c.TimeNS != 0 {
		keep = append(keep, c.TimeNS)
	}
	return keep
}

// signalMask restores the mask of the forking thread, which is blocked around
// the fork.
func (p *Program) signalMask() {
	var set unix.Sigset_t
	// Asking cannot fail.
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, nil, &set)
	p.Call("restore the signal mask", unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, p.Words(set.Val[0]), 0, 8)
}

// closeOthers closes all descriptors that are not init's. While init waits it
// must not hold the parent's locks, nor the ends of pipes that others wait to
// see closed.
func (p *Program) closeOthers(c *Process) {
	keep := c.lasting()
	sort.Ints(keep)
	next := 0
	for _, fd := range keep {
		if fd > next {
			p.Call("close the parent's descriptors", unix.SYS_CLOSE_RANGE, next, fd-1, 0)
		}
		next = fd + 1
	}
	p.Call("close the parent's descriptors", unix.SYS_CLOSE_RANGE, next, int(^uint32(0)), 0)
}

func (p *Program) mountProc(m ProcMount, out Reg) {
	fs := p.Reg(-1)
	p.Store("mount proc", fs, unix.SYS_FSOPEN, p.String("proc"), unix.FSOPEN_CLOEXEC)
	p.Try("", unix.SYS_FSCONFIG, fs, unix.FSCONFIG_SET_STRING, p.String("source"), p.String("proc"), 0)
	for _, o := range m.Data {
		key, value, has := cut(o)
		if has {
			p.Call("mount proc: option "+o, unix.SYS_FSCONFIG, fs, unix.FSCONFIG_SET_STRING, p.String(key), p.String(value), 0)
		} else {
			p.Call("mount proc: option "+o, unix.SYS_FSCONFIG, fs, unix.FSCONFIG_SET_FLAG, p.String(key), 0, 0)
		}
	}
	p.Call("mount proc", unix.SYS_FSCONFIG, fs, unix.FSCONFIG_CMD_CREATE, 0, 0, 0)
	p.Store("mount proc", out, unix.SYS_FSMOUNT, fs, unix.FSMOUNT_CLOEXEC, m.Attrs)
	p.Call("mount proc", unix.SYS_CLOSE, fs)
}

func cut(option string) (key, value string, has bool) {
	for i := range len(option) {
		if option[i] == '=' {
			return option[:i], option[i+1:], true
		}
	}
	return option, "", false
}

// Become adds what init does from the word of its parent to the command.
func (p *Program) Become(c *Process) {
	s := c.Spec
	p.Call("start a session", unix.SYS_SETSID)
	p.stdio(c)
	if c.Keyring != "" {
		p.keyring(c)
	}
	p.limits(s)
	p.schedule(c)
	p.settings(c.Settings)
	p.writeLabels(c)
	if s.NoNewPrivileges {
		p.Call("process.noNewPrivileges: set it", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	} else {
		// Without no_new_privs a filter needs the rights that are dropped next.
		p.filter(c)
	}
	entered := p.identity(c)
	p.workingDirectory(s.Cwd, entered)
	if s.NoNewPrivileges && c.Seccomp.Notifies() {
		p.filter(c) // while there is a parent who passes the listener on
	}
	p.Call("outlive the parent", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, 0, 0, 0, 0)
	ready := p.Bytes(sync.Message{Kind: sync.Ready}.Encode())
	p.Call("tell the parent that all is ready", unix.SYS_WRITE, c.Sync, ready, sync.Size)
	if c.Listen >= 0 {
		conn := p.Reg(-1)
		p.Store("wait to be started", conn, unix.SYS_ACCEPT4, c.Listen, 0, 0, unix.SOCK_CLOEXEC)
		p.Report(conn)
	}
	if s.NoNewPrivileges && !c.Seccomp.Notifies() {
		// As late as can be: the profile need not allow what init itself calls.
		p.filter(c)
	}
	p.Exec(c.Paths, s.Args, c.Env)
}

// Exec adds the execve of a command that is in one of several places.
func (p *Program) Exec(paths, args, env []string) {
	argv, envp := p.Strings(args), p.Strings(env)
	for i, path := range paths {
		p.add("exec "+path, op{nr: unix.SYS_EXECVE, policy: exec, last: i == len(paths)-1}, []any{p.String(path), argv, envp})
	}
}

// stdio gives the command its descriptors and closes all others at execve.
func (p *Program) stdio(c *Process) {
	low := c.lowest()
	own := func(fd int) any {
		if fd >= low {
			return fd
		}
		// Its number is about to be another's.
		r := p.Reg(-1)
		p.Store("keep a descriptor", r, unix.SYS_FCNTL, fd, unix.F_DUPFD_CLOEXEC, low)
		return r
	}
	var src [3]any
	if c.Spec.Terminal {
		r := p.Reg(-1)
		p.Store("keep the terminal", r, unix.SYS_FCNTL, c.terminal, unix.F_DUPFD_CLOEXEC, low)
		p.Call("process.terminal: make it the controlling one", unix.SYS_IOCTL, r, unix.TIOCSCTTY, 0)
		src = [3]any{r, r, r}
	} else {
		src = [3]any{own(c.Stdio[0]), own(c.Stdio[1]), own(c.Stdio[2])}
	}
	extra := make([]any, len(c.Extra))
	for i, fd := range c.Extra {
		extra[i] = own(fd)
	}
	for i, fd := range append(src[:], extra...) {
		p.Call(fmt.Sprintf("set up descriptor %d", i), unix.SYS_DUP3, fd, i, 0)
	}
	p.ownNull(c)
	for i, chown := range c.Chown {
		if chown && !c.Spec.Terminal {
			// So that the command may open /dev/stdout; a pipe from elsewhere
			// may refuse.
			p.Try("", unix.SYS_FCHOWN, i, int(c.Spec.User.UID), -1)
		}
	}
	p.Call("close the other descriptors at exec", unix.SYS_CLOSE_RANGE, low, int(^uint32(0)), unix.CLOSE_RANGE_CLOEXEC)
}

// ownNull gives the command the container's null device where it got the host's,
// which is on a mount that the container does not have. As with any shell's
// redirection that shows in /proc/self/fd, and CRIU can only save the former.
func (p *Program) ownNull(c *Process) {
	if c.Listen < 0 || c.Spec.Terminal || c.null == [3]bool{} {
		return
	}
	null := p.Reg(-1)
	// A container may be without it.
	p.add("", op{nr: unix.SYS_OPENAT, out: uintptr(null), policy: ignored}, []any{unix.AT_FDCWD, p.String("/dev/null"), unix.O_RDWR | unix.O_CLOEXEC | unix.O_NOFOLLOW, 0})
	for i, host := range c.null {
		if host {
			p.Try("", unix.SYS_DUP3, null, i, 0)
		}
	}
}

// identity makes init the user of the spec with its capabilities and no others.
// What it gives is 0 if the working directory is entered.
func (p *Program) identity(c *Process) (entered Reg) {
	s := c.Spec
	for n := range caps.Last() + 1 {
		if c.Caps.Bounding&(1<<n) == 0 {
			p.Call("process.capabilities: drop "+caps.Name(n)+" from the bounding set", unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, n, 0, 0, 0)
		}
	}
	p.Call("keep capabilities over the change of user", unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0, 0, 0)
	// Only the old user may be able to enter it, as a root without CAP_DAC_OVERRIDE
	// finds; else the new one tries.
	entered = p.Reg(-1)
	p.add("", op{nr: unix.SYS_CHDIR, out: uintptr(entered), policy: ignored}, []any{p.String(s.Cwd)})
	if !c.NoGroups {
		var list []byte
		groups := slices.Compact(slices.Sorted(slices.Values(s.User.AdditionalGids)))
		for _, g := range groups {
			list = binary.NativeEndian.AppendUint32(list, g)
		}
		p.Call("process.user.additionalGids: set the additional groups", unix.SYS_SETGROUPS, len(groups), p.Bytes(list))
	}
	gid, uid := int(s.User.GID), int(s.User.UID)
	p.Call(fmt.Sprintf("process.user.gid: become group %d", gid), unix.SYS_SETRESGID, gid, gid, gid)
	p.Call(fmt.Sprintf("process.user.uid: become user %d", uid), unix.SYS_SETRESUID, uid, uid, uid)
	p.Call("clear keepcaps", unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 0, 0, 0, 0)
	var data []byte
	for _, w := range c.Caps.Data() {
		data = binary.NativeEndian.AppendUint32(data, w)
	}
	hdr := p.Words(unix.LINUX_CAPABILITY_VERSION_3) // and pid 0
	p.Call("process.capabilities: set them", unix.SYS_CAPSET, hdr, p.Bytes(data))
	p.Call("clear the ambient capabilities", unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	for n := range caps.Last() + 1 {
		if c.Caps.Ambient&(1<<n) != 0 {
			p.Call("process.capabilities: make "+caps.Name(n)+" ambient", unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, n, 0, 0)
		}
	}
	umask := 0o022
	if s.User.Umask != nil {
		umask = int(*s.User.Umask)
	}
	p.Call("set the umask", unix.SYS_UMASK, umask)
	return entered
}

// workingDirectory enters cwd, which may fail if that is done already, and makes sure that it is inside the container: a
// descriptor of the host left open could lead out (CVE-2024-21626).
func (p *Program) workingDirectory(cwd string, entered Reg) {
	p.add("process.cwd: enter the working directory "+cwd, op{nr: unix.SYS_CHDIR, policy: unless}, []any{p.String(cwd), entered})
	buf := p.alloc(unix.PathMax)
	p.Call("process.cwd: name the working directory "+cwd, unix.SYS_GETCWD, p.addr(buf), unix.PathMax)
	p.Call("process.cwd: the working directory "+cwd+" is outside the container", nrInside, buf)
}
