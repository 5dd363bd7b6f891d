package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// loopVerb makes this program run scripts again and again and print how long
// each took: so the loop can stand inside a namespace that a peer needs, and
// entering that is not measured.
const loopVerb = "-loop"

// script is what is done in one run, in steps. "{}" in a word becomes the number
// of the run.
type script struct {
	Name          string
	Setup         []step // once, before all runs; its number is 0
	Timed         []step
	After, Finish []step // after every run, and once after all
}

// step is a command, or one of the words below and a file.
type step []string

const (
	reap    = "-reap"    // wait for the end of the process whose number is in the file
	private = "-private" // note the memory that this process has for itself
)

// taken is what the runs of a script took.
type taken struct {
	Times   []time.Duration
	Peak    float64 // the most memory that a timed command had, in MB, median over the runs
	Private float64 // in MB
	Error   string  // why it was left out
}

// loop runs the scripts n times in turn, so that what else the machine does hits
// all of them. wrapper are words put before the loop's command; may be empty.
func loop(ctx context.Context, n int, wrapper []string, scripts ...script) ([]taken, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append(slices.Clone(wrapper), self, loopVerb, strconv.Itoa(n))
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	in, err := json.Marshal(scripts)
	if err != nil {
		return nil, err
	}
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("running the loop: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	var t []taken
	if err := json.Unmarshal(out, &t); err != nil || len(t) != len(scripts) {
		return nil, fmt.Errorf("reading what the loop found: %w: %s", err, out)
	}
	return t, nil
}

// loopMain is the other side of loop.
func loopMain(args []string) {
	if err := loopRun(args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func loopRun(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	var scripts []script
	if err := json.NewDecoder(os.Stdin).Decode(&scripts); err != nil {
		return err
	}
	// Detached containers become this process's children, so that reap can wait.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	found := make([]taken, len(scripts))
	peaks := make([][]float64, len(scripts))
	for i, s := range scripts {
		found[i].note(found[i].steps(s.Setup, 0, nil))
	}
	for run := range n + 2 { // the first two warm the caches
		for i, s := range scripts {
			t := &found[i]
			if t.Error != "" {
				continue
			}
			var peak float64
			start := time.Now()
			err := t.steps(s.Timed, run, &peak)
			took := time.Since(start)
			t.note(errors.Join(err, t.steps(s.After, run, nil)))
			if run >= 2 {
				t.Times = append(t.Times, took)
				peaks[i] = append(peaks[i], peak)
			}
		}
	}
	for i, s := range scripts {
		found[i].note(found[i].steps(s.Finish, 0, nil))
		if slices.Sort(peaks[i]); len(peaks[i]) > 0 {
			found[i].Peak = peaks[i][len(peaks[i])/2]
		}
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

func (t *taken) note(err error) {
	if err != nil && t.Error == "" {
		t.Error = err.Error()
	}
}

// steps does the steps and raises peak to the most memory that one of the
// commands had.
func (t *taken) steps(list []step, run int, peak *float64) error {
	for _, s := range list {
		words := make([]string, len(s))
		for j, w := range s {
			words[j] = strings.ReplaceAll(w, "{}", fmt.Sprintf("b%d-%d", os.Getpid(), run))
		}
		var err error
		switch words[0] {
		case reap:
			err = reapPID(words[1])
		case private:
			t.Private, err = privateOf(words[1])
		default:
			err = command(words, peak)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", strings.Join(words, " "), err)
		}
	}
	return nil
}

// command runs one. Its standard error is a file, since a detached container
// that had a pipe would keep this waiting.
func command(argv []string, peak *float64) error {
	msg, err := os.CreateTemp("", "bench-stderr-")
	if err != nil {
		return err
	}
	defer msg.Close()
	if err := os.Remove(msg.Name()); err != nil {
		return err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = msg
	if err := cmd.Run(); err != nil {
		text := make([]byte, 1000)
		n, _ := msg.ReadAt(text, 0)
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(text[:n])))
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && peak != nil {
		*peak = max(*peak, float64(usage.Maxrss)/1024)
	}
	return nil
}

func pidIn(file string) (int, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

func reapPID(file string) error {
	pid, err := pidIn(file)
	if err != nil {
		return err
	}
	for {
		if _, err = unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			return err
		}
	}
}

// privateOf is the memory in MB that only the process has.
func privateOf(file string) (float64, error) {
	pid, err := pidIn(file)
	if err != nil {
		return 0, err
	}
	return rollup(pid, "Private_")
}
