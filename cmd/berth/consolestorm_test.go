package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"berth/tui/text"
	"berth/tui/tuitest"
)

// TestAStormOfKeysAndFaults drives the real console on the real engine with
// random keys, sequences, pastes, clicks and sizes, while the engine is killed,
// stopped, replaced and cut off: it never panics, its settled screen is always
// whole, and however it ends the terminal is as it was before.
//
// A few rounds of always the same choices belong to all tests. BERTH_STORM=5m is how
// long, with other choices each time, and BERTH_STORM_SEED=N makes those of an earlier
// run again; what they hit depends on the time that all else takes.
func TestAStormOfKeysAndFaults(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("BERTH_STORM"))
	long := err == nil
	seed := uint64(1)
	if long {
		seed = rand.Uint64N(1 << 32)
	}
	if n, err := strconv.ParseUint(os.Getenv("BERTH_STORM_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("BERTH_STORM_SEED=%d", seed)
	s := &storm{t: t, rnd: rand.New(rand.NewPCG(seed, 0)), rig: newRig(t)}
	s.rig.images()
	for end := time.Now().Add(length); s.rounds < fewRounds || long && time.Now().Before(end); {
		s.round()
	}
	if s.robot != nil {
		s.leave()
	}
	t.Logf("%d rounds, %d consoles, %d keys, %d faults", s.rounds, s.consoles, s.keys, s.faults)
}

// fewRounds is how long a storm is that is not asked to be longer: some seconds.
const fewRounds = 12

// storm is a robot that presses anything.
type storm struct {
	t     *testing.T
	rnd   *rand.Rand
	rig   *rig
	robot *tuitest.Robot // nil: none runs
	done  []string       // what was done since it was started, for the message of a failure

	rounds, consoles, keys, faults int
}

// round opens a console if none is there, does a number of things to it, often
// with a fault of the engine in between, and looks at what has become of it.
func (s *storm) round() {
	s.rounds++
	defer func() {
		if s.t.Failed() {
			for _, pid := range s.rig.processes("") {
				cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", pid))
				s.t.Logf("%d %q %s", pid, cmdline, lastOf(string(stat), 300))
			}
			s.t.Logf("engine: %s", lastOf(s.rig.log(), 3000))
			s.t.Logf("done to this console: %s", strings.Join(s.done[max(len(s.done)-400, 0):], " "))
		}
	}()
	if s.robot == nil {
		s.open()
	}
	s.presses(10 + s.rnd.IntN(40))
	mend := s.fault()
	s.presses(10 + s.rnd.IntN(40))
	mend()
	if s.ended() {
		s.after()
		return
	}
	s.robot.Resize(120, 36)
	left := false
	s.robot.Wait("a whole screen", func(screen string) bool {
		left = s.ended() || strings.Contains(screen, "waiting for what is under way")
		return left || whole(screen, 120, 36) == ""
	})
	switch {
	case left: // by a key that was pressed
		s.after()
	case s.rnd.IntN(8) == 0:
		s.leave()
	}
}

// open makes sure that there is something to see, and starts a console.
func (s *storm) open() {
	if out := s.rig.berth("images", "-q", "busybox"); out == "" {
		s.rig.images()
	}
	if n := len(strings.Fields(s.rig.berth("ps", "-q"))); n < 3 {
		s.rig.berth("run", "-dit", "--network", "none", "busybox", "sh")
		s.rig.berth("run", "-d", "--network", "none", "-v", "/data", "-p", "0:80", "busybox", "sh", "-c", "while :; do seq 300; sleep 0.2; done")
	}
	if s.rnd.IntN(4) == 0 { // the next console embeds the engine
		for _, pid := range s.rig.processes("serve") {
			syscall.Kill(pid, syscall.SIGTERM)
		}
		s.rig.until("the engine has ended", func() bool { return len(s.rig.processes("serve")) == 0 })
	}
	cmd := exec.Command("berth-alone")
	cmd.Env = append(s.rig.environ(), "HOME="+s.rig.dir, "DOCKER_CONFIG="+s.rig.dir)
	cmd.Dir = s.rig.dir
	s.robot, s.done = tuitest.Start(s.t, cmd, 120, 36), nil
	s.consoles++
	s.robot.Wait("the first screen", func(screen string) bool { return whole(screen, 120, 36) == "" })
}

// ended tells whether the console has.
func (s *storm) ended() bool { return s.robot.Ended() }

// leave ends the console in one of the ways in which that is done.
func (s *storm) leave() {
	switch way := s.rnd.IntN(7); way {
	case 0, 1, 2:
		sig := []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT}[way]
		s.done = append(s.done, sig.String())
		s.robot.Signal(sig)
	case 3: // its engine dies with it
		s.done = append(s.done, "kill, SIGTERM")
		for _, pid := range s.rig.processes("serve") {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		s.robot.Signal(syscall.SIGTERM)
	case 4, 5: // in the middle of its end, or of anything
		s.done = append(s.done, "SIGTERM, SIGKILL")
		s.robot.Signal(syscall.SIGTERM)
		time.Sleep(time.Duration(s.rnd.IntN(100)) * time.Millisecond)
		if !s.ended() {
			s.robot.Signal(syscall.SIGKILL)
		}
		s.robot.WaitExit()
		s.robot = nil
		s.rig.berth("ps") // an engine that finds what was left
		return
	default:
		s.done = append(s.done, "ctrl+] q ctrl+c")
		s.robot.Press("ctrl+]", "q", "ctrl+c") // out of a shell, and then
	}
	s.after()
}

// after looks at what a console has left.
func (s *storm) after() {
	s.t.Helper()
	until := time.Now().Add(3 * stopPatience) // several stops may be under way
	for !s.ended() && time.Now().Before(until) {
		time.Sleep(5 * time.Millisecond)
	}
	if !s.ended() { // its goroutines say why
		s.robot.Signal(syscall.SIGQUIT)
		s.robot.WaitExit()
	}
	if code := s.robot.WaitExit(); code != 0 {
		s.t.Fatalf("exit code %d:\n%s\n%s", code, s.robot.Screen(), lastOf(s.robot.Output(), 20000))
	}
	s.robot.WaitRestored()
	s.robot = nil
}

func lastOf(s string, n int) string { return s[max(len(s)-n, 0):] }

// whole says what is wrong with a settled screen of the console, which has
// frames from edge to edge between its header and its two lines at the bottom.
func whole(screen string, width, height int) string {
	lines := strings.Split(strings.TrimSuffix(screen, "\n"), "\n")
	if len(lines) != height || !strings.HasPrefix(lines[0], " berth ▸ ") {
		return "no header"
	}
	for i, l := range lines[1 : height-2] {
		cells := []rune(l)
		if len(cells) == 0 || !strings.ContainsRune("╭│╰", cells[0]) || !strings.ContainsRune("╮│╯", cells[len(cells)-1]) {
			return fmt.Sprintf("row %d is not framed: %q", i+1, l)
		}
		if n := text.Width(l); n != width {
			return fmt.Sprintf("row %d is %d wide: %q", i+1, n, l)
		}
	}
	return ""
}
