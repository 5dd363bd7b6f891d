package initproc

import "golang.org/x/sys/unix"

// Label is what a security module makes of the process at its execve: Value is
// written to the file Path of the thread, below proc's thread-self.
type Label struct{ Field, Path, Value string }

// openLabels opens the files of the labels in the host's /proc, which cannot have
// been covered by the container (CVE-2019-19921, CVE-2025-52881). Only the thread
// itself may do it, and not through a descriptor of its parent's.
func (p *Program) openLabels(c *Process) {
	c.labels = make([]Reg, len(c.Labels))
	for i, l := range c.Labels {
		c.labels[i] = p.Reg(-1)
		fd := p.Reg(-1)
		p.Store(l.Field+": open "+l.Path, fd, unix.SYS_OPENAT, c.HostProc, p.String("thread-self/"+l.Path), unix.O_WRONLY|unix.O_CLOEXEC, 0)
		p.Store(l.Field, c.labels[i], unix.SYS_FCNTL, fd, unix.F_DUPFD_CLOEXEC, c.lowest())
		p.Call(l.Field, unix.SYS_CLOSE, fd)
	}
	if len(c.Labels) > 0 {
		p.Call("close the host's /proc", unix.SYS_CLOSE, c.HostProc)
	}
}

func (p *Program) writeLabels(c *Process) {
	for i, l := range c.Labels {
		p.Call(l.Field+": ask for "+l.Value, unix.SYS_WRITE, c.labels[i], p.Bytes([]byte(l.Value)), len(l.Value))
	}
}
