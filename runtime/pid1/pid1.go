// Package pid1 is the first process of a container that was asked to have an init:
// what docker calls docker-init. It runs the container's command as its only child,
// passes signals on to it, reaps whatever orphans the kernel hands to it, and ends as
// the command ends, with 128 and the signal's number if that was killed.
//
// A process with the number 1 is special: the kernel gives it no default action for a
// signal, and it must reap children that it never made. Most commands do neither well.
//
// The process is berth itself, so this package imports nothing that costs memory: it
// lives once in every such container.
package pid1

import (
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Path is where the executable is in a container, and the name by which berth knows
// that it is to be an init.
const Path = "/sbin/docker-init"

// Exit codes of a command that could not be run, as a shell has them.
const (
	exitFailed        = 1
	exitNotExecutable = 126
	exitNotFound      = 127
	exitSignal        = 128 // plus the signal
)

// Main runs the command of args, which is what stands after the program's name and
// a "--", and returns the code to exit with.
func Main(args []string) int {
	command := args[1:]
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 {
		return fatal("no command was given", exitFailed)
	}
	// Before the child is there: a signal that comes now is the child's all the same.
	// (The Go runtime lets nobody have the signals 32 to 34, which C libraries use.)
	signals := make(chan os.Signal, 128)
	signal.Notify(signals)
	child, err := spawn(command)
	if err != nil {
		code := exitFailed
		switch err {
		case syscall.ENOENT, syscall.ENOTDIR:
			code = exitNotFound
		case syscall.EACCES:
			code = exitNotExecutable
		}
		text := err.Error()
		// As the C library words it, which is what scripts look for.
		return fatal("exec "+command[0]+" failed: "+strings.ToUpper(text[:1])+text[1:], code)
	}
	go forward(signals, child)
	return reap(child)
}

func fatal(text string, code int) int {
	os.Stderr.WriteString("docker-init: " + text + "\n")
	return code
}

// forward passes signals on to the child for as long as the process lives.
func forward(signals <-chan os.Signal, child int) {
	for s := range signals {
		switch s {
		case syscall.SIGCHLD: // its own
		case syscall.SIGTTIN, syscall.SIGTTOU: // for who is in the terminal's background: this process
		default:
			// It may have changed its user, and then it cannot be helped.
			syscall.Kill(child, s.(syscall.Signal))
		}
	}
}

// reap collects every process that ends until the child has, and gives its exit code.
func reap(child int) int {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return fatal("waiting for the command: "+err.Error(), exitFailed)
		case pid != child:
		case status.Signaled():
			return exitSignal + int(status.Signal())
		default:
			return status.ExitStatus()
		}
	}
}

// spawn runs the command in a process group of its own, the foreground one of the
// terminal if there is one, as it would be below a shell.
func spawn(command []string) (int, error) {
	sys := &syscall.SysProcAttr{Setpgid: true}
	if _, err := unix.IoctlGetInt(0, unix.TIOCGPGRP); err == nil { // not of a terminal that is another session's
		sys.Foreground, sys.Ctty = true, 0
	}
	path, err := lookUp(command[0])
	if err != nil {
		return 0, err
	}
	attr := &syscall.ProcAttr{Env: commandEnv(syscall.Environ()), Files: []uintptr{0, 1, 2}, Sys: sys}
	pid, err := syscall.ForkExec(path, command, attr)
	if err == syscall.ENOEXEC { // a script without a first line that says whose
		pid, err = syscall.ForkExec("/bin/sh", append([]string{"/bin/sh", path}, command[1:]...), attr)
	}
	return pid, err
}

// lookUp finds a command like execvp(3): in $PATH if its name has no slash, and
// EACCES counts for more than ENOENT.
func lookUp(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, executable(name)
	}
	path, ok := syscall.Getenv("PATH")
	if !ok {
		path = "/bin:/usr/bin"
	}
	result := error(syscall.ENOENT)
	for dir := range strings.SplitSeq(path, ":") {
		if dir == "" {
			dir = "."
		}
		switch err := executable(dir + "/" + name); err {
		case nil:
			return dir + "/" + name, nil
		case syscall.EACCES:
			result = err
		}
	}
	return "", result
}

// executable tells why a file cannot be executed, nil if it can.
func executable(name string) error {
	var st syscall.Stat_t
	if err := syscall.Stat(name, &st); err != nil {
		return err
	}
	if st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		return syscall.EACCES
	}
	return unix.Access(name, unix.X_OK)
}
