package session

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/moby/term"
	"golang.org/x/sys/unix"
)

// IsTerminal says whether f is one.
func IsTerminal(f *os.File) bool { return f != nil && term.IsTerminal(f.Fd()) }

// Size is the terminal's size in rows and columns; ok is false when f is none
// or does not know.
func Size(f *os.File) (height, width uint, ok bool) {
	if f == nil {
		return 0, 0, false
	}
	ws, err := term.GetWinsize(f.Fd())
	if err != nil || (ws.Height == 0 && ws.Width == 0) {
		return 0, 0, false
	}
	return uint(ws.Height), uint(ws.Width), true
}

// Raw makes the terminal of in raw and returns what gives it back, which may be
// called more than once. A signal that ends the process gives it back too.
func Raw(in *os.File) (restore func(), err error) {
	state, err := term.SetRawTerminal(in.Fd())
	if err != nil {
		return nil, fmt.Errorf("making the terminal raw: %w", err)
	}
	sigs := make(chan os.Signal, 1)
	signal.Notify(sigs, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGINT)
	done := make(chan struct{})
	var once sync.Once
	restore = func() {
		once.Do(func() {
			_ = term.RestoreTerminal(in.Fd(), state)
			signal.Stop(sigs)
			close(done)
		})
	}
	go func() {
		select {
		case <-done:
		case s := <-sigs:
			restore()
			signal.Reset(s)
			_ = unix.Kill(os.Getpid(), s.(syscall.Signal))
		}
	}()
	return restore, nil
}

// WatchSize calls resize with the terminal's size now and whenever it changes,
// until ctx ends. Errors of resize are dropped: the container may just have
// ended, and the next change tries again.
func WatchSize(ctx context.Context, f *os.File, resize func(ctx context.Context, height, width uint) error) {
	sigs := make(chan os.Signal, 1)
	signal.Notify(sigs, syscall.SIGWINCH)
	set := func() {
		if h, w, ok := Size(f); ok {
			_ = resize(ctx, h, w)
		}
	}
	set()
	go func() {
		defer signal.Stop(sigs)
		for {
			select {
			case <-ctx.Done():
				return
			case <-sigs:
				set()
			}
		}
	}()
}

// usual are the signals that are passed on from the first moment. The Go runtime
// switches threads four times to begin with and to end handling one, and there
// are sixty: for a container that ends at once that took longer than all of it.
var usual = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}

// unusualAfter is when the others follow.
const unusualAfter = 100 * time.Millisecond

// ForwardSignals sends every signal that this process gets to the container,
// until the returned function is called. What the kernel or the Go runtime use
// for themselves stays here.
func ForwardSignals(ctx context.Context, send func(ctx context.Context, signal string) error) (stop func()) {
	sigs := make(chan os.Signal, 128)
	signal.Notify(sigs, usual...)
	done := make(chan struct{})
	var mu sync.Mutex
	all := time.AfterFunc(unusualAfter, func() {
		mu.Lock()
		defer mu.Unlock()
		select {
		case <-done:
		default:
			signal.Notify(sigs)
		}
	})
	go func() {
		for {
			select {
			case <-done:
				return
			case s := <-sigs:
				n, ok := s.(syscall.Signal)
				if !ok || local(n) {
					continue
				}
				name := unix.SignalName(n)
				if name == "" {
					name = fmt.Sprint(int(n))
				}
				// The container may be gone; its exit status says so.
				_ = send(ctx, name)
			}
		}
	}()
	var once sync.Once
	return func() {
		once.Do(func() {
			all.Stop()
			mu.Lock()
			close(done)
			mu.Unlock()
			signal.Stop(sigs)
		})
	}
}

// local says which signals are this process's own business: its children, its
// pipes, its terminal, and SIGURG, by which the Go runtime preempts.
func local(s syscall.Signal) bool {
	switch s {
	case syscall.SIGCHLD, syscall.SIGPIPE, syscall.SIGURG, syscall.SIGWINCH, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGTSTP, syscall.SIGCONT:
		return true
	}
	return false
}

// Hide keeps what is typed from being shown, until show is called.
func Hide(in *os.File) (show func(), err error) {
	state, err := term.SaveState(in.Fd())
	if err != nil {
		return nil, fmt.Errorf("the terminal does not tell its state: %w", err)
	}
	if err := term.DisableEcho(in.Fd(), state); err != nil {
		return nil, fmt.Errorf("the terminal cannot hide what is typed: %w", err)
	}
	return func() { _ = term.RestoreTerminal(in.Fd(), state) }, nil
}
