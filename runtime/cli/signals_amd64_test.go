package cli

import (
	"os"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel delivers what has become pending at once, and would lay a handler that lets
// others in upon the next on the thread's signal stack, which cannot hold a frame for
// each where the processor has AVX-512: the process would die without a word.
func TestCatchTakesAllSignalsAtOnce(t *testing.T) {
	next, err := catch()
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		t.Fatal(err)
	}
	// A signal that stops takes away one that continues.
	sent := slices.DeleteFunc(slices.Clone(forwarded), func(s unix.Signal) bool { return s == unix.SIGCONT })
	for _, s := range sent {
		if err := unix.Tgkill(os.Getpid(), unix.Gettid(), s); err != nil {
			t.Error(err)
		}
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil); err != nil {
		t.Fatal(err)
	}
	caught := map[unix.Signal]int{}
	for range sent {
		s, err := next()
		if err != nil {
			t.Fatal(err)
		}
		caught[s]++
	}
	for _, s := range sent {
		if caught[s] != 1 {
			t.Errorf("signal %d was caught %d times", s, caught[s])
		}
	}
}
