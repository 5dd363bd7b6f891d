package nsenter

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// twin runs f on a twin of a builder.
func onTwin(f func() error) error { return Builder(func() error { return Twin(f) }) }

func TestTwinIsAnotherProcess(t *testing.T) {
	if !hasTwin {
		t.Skip("there are no twins on this machine")
	}
	shared := 0
	var pid, parent int
	err := onTwin(func() error {
		shared, pid, parent = 7, unix.Getpid(), unix.Getppid()
		return os.ErrDeadlineExceeded
	})
	if !errors.Is(err, os.ErrDeadlineExceeded) || shared != 7 || pid == os.Getpid() || parent != os.Getpid() {
		t.Errorf("error %v, shared %d, process %d of %d", err, shared, pid, parent)
	}
	if err := unix.Kill(pid, 0); err != unix.ESRCH {
		t.Errorf("the twin is still there: %v", err)
	}
}

// grow uses n frames of stack with pointers into it.
func grow(n int, at *int) int {
	var pad [64]int
	pad[n%64] = *at
	if n == 0 {
		runtime.Gosched()
		return pad[0]
	}
	return grow(n-1, &pad[n%64])
}

// TestTwinLivesThroughTheRuntime does in twins what the Go runtime likes to do to
// goroutines: move their stacks, collect garbage, stop the world, park and wake
// them, all at once, with signals to the threads all the while.
func TestTwinLivesThroughTheRuntime(t *testing.T) {
	if !hasTwin {
		t.Skip("there are no twins on this machine")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 50 {
				var after int
				err := onTwin(func() error {
					one := 1
					if grow(100*i, &one) != 1 {
						return errors.New("the stack is not what it was")
					}
					ch := make(chan []byte)
					go func() { ch <- make([]byte, 1<<16) }()
					if len(<-ch) != 1<<16 {
						return errors.New("the channel is not what it was")
					}
					if i%10 == 0 {
						runtime.GC()
						debug.FreeOSMemory()
					}
					for j := range 200 {
						after += len(make([]int, j*8)) / 8
					}
					return nil
				})
				if err != nil || after != 199*200/2 {
					t.Errorf("error %v, sum %d", err, after)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestTwinPanics(t *testing.T) {
	if !hasTwin {
		t.Skip("there are no twins on this machine")
	}
	err := Builder(func() (err error) {
		defer func() {
			if r := recover(); r != "as usual" || unix.Getpid() != process {
				err = errors.New("the panic went astray")
			}
		}()
		return Twin(func() error {
			var none *int
			defer func() {
				if recover() == nil {
					t.Error("no fault")
				}
				panic("as usual")
			}()
			return os.NewSyscallError("", unix.Errno(*none))
		})
	})
	if err != nil {
		t.Error(err)
	}
}

// TestTwinChildren has children that are the twin's and, through Fork, ones that
// are this process's.
func TestTwinChildren(t *testing.T) {
	if !hasTwin {
		t.Skip("there are no twins on this machine")
	}
	err := onTwin(func() error {
		out, err := exec.Command("sh", "-c", "echo $PPID").Output()
		if err == nil && strings.TrimSpace(string(out)) != strconv.Itoa(unix.Getpid()) {
			t.Errorf("the shell's parent is %s", out)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
