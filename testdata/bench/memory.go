package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// settling is how long engines and shims may take to come to rest.
const settling = 4 * time.Second

// weigh is the memory in megabytes of the engine and of all that it runs for these containers, but not of the
// containers: the proportional set sizes of the server, what it started, and each container's parent.
func (e *engine) weigh(ctx context.Context, ids []string) (float64, error) {
	out, err := e.do(ctx, append([]string{"inspect", "--format", "{{.State.Pid}}"}, ids...)...)
	if err != nil {
		return 0, err
	}
	time.Sleep(settling)
	parents, err := parents()
	if err != nil {
		return 0, err
	}
	inside, ours := map[int]bool{}, map[int]bool{e.pid: true}
	for _, word := range strings.Fields(out) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return 0, fmt.Errorf("reading the process of a container: %w", err)
		}
		inside[pid] = true
		ours[parents[pid]] = true
	}
	for more := true; more; {
		more = false
		for pid, parent := range parents {
			if ours[parent] && !ours[pid] && !inside[pid] {
				ours[pid], more = true, true
			}
		}
	}
	sum := 0.0
	for pid := range ours {
		mb, err := rollup(pid, "Pss:")
		if err != nil {
			return 0, err
		}
		sum += mb
	}
	return sum, nil
}

// parents maps every process to its parent.
func parents() (map[int]int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	m := map[int]int{}
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return nil, err
		}
		parent, err := parentOf(pid)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH): // it has ended
		case err != nil:
			return nil, err
		default:
			m[pid] = parent
		}
	}
	return m, nil
}

func parentOf(pid int) (int, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The command stands in brackets and may hold anything; ppid is the second field after it (proc(5)).
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	return strconv.Atoi(f[1])
}

// rollup is the sum in megabytes of what the kernel says about a process's memory in lines that begin so.
func rollup(pid int, prefix string) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	var sum float64
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && strings.HasPrefix(f[0], prefix) {
			kb, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				return 0, err
			}
			sum += kb / 1024
		}
	}
	return sum, nil
}

// ticks is the processor time of a process, user and system, in clock ticks.
func ticks(pid int) (int, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, err := strconv.Atoi(f[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(f[12])
	return user + system, err
}
