package engine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"berth/engine/spec"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// Top lists the processes of a container as the host sees them. Without
// arguments, or with ps's -ef, it is read from /proc; other arguments are
// those of the host's ps, whose output must have a PID column.
func (cs *Containers) Top(ctx context.Context, ref, psArgs string) (container.TopResponse, error) {
	c, err := cs.get(ref)
	if err != nil {
		return container.TopResponse{}, err
	}
	_, rec, err := c.running()
	if err != nil {
		return container.TopResponse{}, err
	}
	pids, err := cs.e.cgroups.pids(spec.CgroupPath(cs.e.cgroups.parent, rec.HostConfig.CgroupParent, rec.ID))
	if err != nil {
		return container.TopResponse{}, err
	}
	cs.emit(rec, "top")
	args := strings.Fields(psArgs)
	if len(args) == 0 || psArgs == "-ef" {
		return topProc(pids), nil
	}
	return topPS(ctx, pids, args)
}

// topProc is what `ps -ef` prints.
func topProc(pids []int) container.TopResponse {
	resp := container.TopResponse{Titles: []string{"UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"}, Processes: [][]string{}}
	boot, now := bootTime(), time.Now()
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // ended
		}
		// "pid (name) state ppid …": the name may contain anything, so the rest begins after the last ")".
		open, end := strings.IndexByte(string(stat), '('), strings.LastIndexByte(string(stat), ')')
		f := strings.Fields(string(stat[end+1:]))
		if open < 0 || end < open || len(f) < 20 {
			continue
		}
		field := func(i int) int64 {
			n, err := strconv.ParseInt(f[i], 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
		used := time.Duration(field(11)+field(12)) * time.Second / userHZ
		started := boot.Add(time.Duration(field(19)) * time.Second / userHZ)
		cpu := 0
		if age := now.Sub(started); age > 0 {
			cpu = int(100 * used / age)
		}
		layout := "15:04"
		if now.Sub(started) > 24*time.Hour {
			layout = "Jan02"
		}
		cmd := strings.ReplaceAll(strings.TrimRight(readString(fmt.Sprintf("/proc/%d/cmdline", pid)), "\x00"), "\x00", " ")
		if cmd == "" {
			cmd = "[" + string(stat[open+1:end]) + "]"
		}
		resp.Processes = append(resp.Processes, []string{
			owner(pid), strconv.Itoa(pid), f[1], strconv.Itoa(cpu), started.Format(layout), ttyName(field(4)),
			fmt.Sprintf("%02d:%02d:%02d", int(used.Hours()), int(used.Minutes())%60, int(used.Seconds())%60), cmd,
		})
	}
	return resp
}

// readString is a small file of /proc; "" if it cannot be read, which for those
// of a process means that it has ended.
func readString(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return string(b)
}

// owner is the host's name for the user of a process, or the number.
func owner(pid int) string {
	for line := range strings.Lines(readString(fmt.Sprintf("/proc/%d/status", pid))) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "Uid:" {
			if u, err := user.LookupId(f[2]); err == nil {
				return u.Username
			}
			return f[2]
		}
	}
	return "?"
}

// ttyName decodes tty_nr of proc_pid_stat(5).
func ttyName(nr int64) string {
	major, minor := nr>>8&0xfff, nr&0xff|nr>>12&0xfff00
	switch {
	case nr == 0:
		return "?"
	case major >= 136 && major <= 143:
		return fmt.Sprintf("pts/%d", minor+(major-136)<<8)
	case major == 4:
		return fmt.Sprintf("tty%d", minor)
	}
	return fmt.Sprintf("%d,%d", major, minor)
}

// bootTime is when the machine started, from which processes count.
func bootTime() time.Time {
	for line := range strings.Lines(readString("/proc/stat")) {
		if s, ok := strings.CutPrefix(line, "btime "); ok {
			if n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64); err == nil {
				return time.Unix(n, 0)
			}
		}
	}
	return time.Time{}
}

// topPS runs the host's ps and keeps the container's lines.
func topPS(ctx context.Context, pids []int, args []string) (container.TopResponse, error) {
	var resp container.TopResponse
	for _, a := range args {
		// A letter that takes a file, or anything that is no plain word, has no business here.
		if strings.ContainsAny(a, "`$;|&<>\\\"'") {
			return resp, kind(errdefs.ErrInvalidArgument, "invalid ps argument: %q", a)
		}
	}
	out, err := exec.CommandContext(ctx, "ps", args...).Output()
	if err != nil {
		return resp, fmt.Errorf("error running ps: %w", err)
	}
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	resp.Titles = strings.Fields(lines[0])
	at := slices.Index(resp.Titles, "PID")
	if at < 0 {
		return resp, kind(errdefs.ErrInvalidArgument, "Couldn't find PID field in ps output")
	}
	resp.Processes = [][]string{}
	for _, line := range lines[1:] {
		f := strings.Fields(line)
		if len(f) <= at {
			continue
		}
		pid, err := strconv.Atoi(f[at])
		if err != nil || !slices.Contains(pids, pid) {
			continue
		}
		// The command is the last column and may have blanks.
		if n := len(resp.Titles); len(f) > n {
			f = append(f[:n-1], strings.Join(f[n-1:], " "))
		}
		resp.Processes = append(resp.Processes, f)
	}
	return resp, nil
}
