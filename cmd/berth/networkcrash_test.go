package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
)

// kills is how often the test kills; BERTH_NETWORK_KILLS names another number.
const kills = 6

// The engine, the shim of a container or both are killed at some instant of a start, a
// stop, a connect, a disconnect or a change of ports. The next engine has nothing left
// over and nothing lost, and through all of it a stream through a published port goes on
// without a byte missing.
func TestNetworksSurviveKills(t *testing.T) {
	r := newRig(t)
	r.images()
	n := kills
	if s := os.Getenv("BERTH_NETWORK_KILLS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	r.berth("network", "create", "front")
	r.berth("run", "-d", "--name", "anchor", "--network", "front", "-p", "127.0.0.1::7", "busybox", "nc", "-l", "-p", "7", "-e", "cat")
	stream := newStream(t, r.berth("port", "anchor", "7"))
	r.berth("create", "--name", "box", "-p", "80", "busybox", "sleep", "100000")
	verbs := [][]string{
		{"start", "box"}, {"stop", "-t", "0", "box"}, {"network", "connect", "front", "box"}, {"network", "disconnect", "front", "box"},
		{"port", "add", "box", "81"}, {"port", "rm", "box", "81"}, {"restart", "-t", "0", "box"},
	}
	for i := range n {
		r.try("start", "box")
		r.try(verbs[rand.IntN(len(verbs))]...) // some state to begin with; it may refuse
		verb, who := verbs[rand.IntN(len(verbs))], rand.IntN(3)
		cmd := r.command(verb...)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		instant := rand.N(40 * time.Millisecond)
		time.Sleep(instant)
		var victims []int
		if who != 1 {
			victims = append(victims, r.processes("serve")...)
		}
		if who != 0 {
			victims = append(victims, r.shims("box")...)
		}
		for _, pid := range victims {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		cmd.Wait()
		stream.check()
		what := fmt.Sprintf("kill %d, %d after %v of %v (%s)", i, who, instant, verb, strings.TrimSpace(said.String()))
		r.until("the killed are gone", func() bool {
			return !slices.ContainsFunc(victims, func(pid int) bool { return syscall.Kill(pid, 0) == nil && !zombie(pid) })
		})
		// And there is an engine. (The threads of the killed one may hold its socket a moment longer than its first.)
		r.until("an engine answers", func() bool { _, code, _ := r.try("ps", "-a"); return code == 0 })
		wrong := ""
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if wrong = r.networkFaults(); wrong == "" {
				break
			}
		}
		if wrong != "" {
			t.Fatalf("%s: %s\nengine: %s", what, wrong, r.log())
		}
		stream.check()
	}
	stream.end()
	r.berth("rm", "-f", "box", "anchor")
	r.until("nothing is left", func() bool { return r.networkFaults() == "" })
}

func zombie(pid int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return bytes.Contains(b, []byte(") Z "))
}

// shims are the processes of the shim of a container.
func (r *rig) shims(name string) []int {
	id, code, _ := r.try("ps", "-aq", "--no-trunc", "--filter", "name="+name)
	if code != 0 || id == "" {
		return nil
	}
	var pids []int
	for _, pid := range r.processes(id) {
		if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); bytes.HasPrefix(line, []byte("berth-shim\x00")) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// networkFaults compares what the engine says with what the kernel and the state
// directory have, and returns what is too much or missing.
func (r *rig) networkFaults() string {
	var all []container.InspectResponse
	out, code, msg := r.try("ps", "-q", "--no-trunc")
	if code != 0 {
		return msg
	}
	if ids := strings.Fields(out); len(ids) > 0 {
		text, code, msg := r.try(append([]string{"inspect"}, ids...)...)
		if code != 0 {
			return msg
		}
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			return err.Error()
		}
	}
	endpoints, mapped := 0, 0
	for _, c := range all {
		endpoints += len(c.NetworkSettings.Networks)
		for name, e := range c.NetworkSettings.Networks {
			if !e.IPAddress.IsValid() {
				return fmt.Sprintf("%s has no address in network %s", c.Name, name)
			}
		}
		for port, binds := range c.NetworkSettings.Ports {
			for _, b := range binds {
				if b.HostIP.Is4() {
					mapped++
				}
				if l, err := net.Listen("tcp", net.JoinHostPort(b.HostIP.String(), b.HostPort)); err == nil {
					l.Close()
					return fmt.Sprintf("port %s of %s, for %s, is not reserved", b.HostPort, c.Name, port)
				}
			}
		}
		for port := range c.HostConfig.PortBindings {
			if len(c.NetworkSettings.Ports[port]) == 0 {
				return fmt.Sprintf("port %s of %s is not published", port, c.Name)
			}
		}
	}
	sum := sha256.Sum256([]byte(r.conf.State))
	hash := hex.EncodeToString(sum[:3])
	devices, err := filepath.Glob("/sys/class/net/b" + hash[:4] + "*")
	if err != nil || len(devices) != endpoints {
		return fmt.Sprintf("%d endpoints have the devices %v, %v", endpoints, devices, err)
	}
	records, err := filepath.Glob(filepath.Join(r.conf.State, "endpoints", "*"))
	if err != nil || len(records) != endpoints {
		return fmt.Sprintf("%d endpoints have the records %v, %v", endpoints, records, err)
	}
	for _, set := range []string{"anywhere", "at"} {
		text, err := exec.Command("nft", "list", "map", "ip", "berth-"+hash, set).CombinedOutput()
		if err != nil {
			return fmt.Sprintf("the port map: %v: %s", err, text)
		}
		mapped -= bytes.Count(text, []byte("tcp . "))
	}
	if mapped != 0 {
		return fmt.Sprintf("the port maps lack %d ports (or have so many too much)", mapped)
	}
	return ""
}

// stream is a connection through a published port to a container that sends everything back.
type stream struct {
	t    *testing.T
	conn net.Conn
	sent uint64
}

func newStream(t *testing.T, addr string) *stream {
	t.Helper()
	s := &stream{t: t}
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if s.conn, err = net.Dial("tcp", addr); err == nil {
			t.Cleanup(func() { s.conn.Close() })
			return s
		}
	}
	t.Fatal(err)
	return nil
}

// check sends a piece and reads it back.
func (s *stream) check() {
	s.t.Helper()
	piece := make([]byte, 64<<10)
	for i := range piece {
		piece[i] = byte(s.sent + uint64(i)*7)
	}
	s.sent += uint64(len(piece))
	s.conn.SetDeadline(time.Now().Add(20 * time.Second))
	failed := make(chan error, 1)
	go func() { _, err := s.conn.Write(piece); failed <- err }()
	back := make([]byte, len(piece))
	if _, err := io.ReadFull(s.conn, back); err != nil || !bytes.Equal(back, piece) {
		s.t.Fatalf("after %d bytes the stream fails: %v", s.sent, err)
	}
	if err := <-failed; err != nil {
		s.t.Fatal(err)
	}
}

// end closes one direction; the other one ends by itself.
func (s *stream) end() {
	s.t.Helper()
	s.conn.(*net.TCPConn).CloseWrite()
	if rest, err := io.ReadAll(s.conn); err != nil || len(rest) != 0 {
		s.t.Errorf("at its end the stream has %d bytes and %v", len(rest), err)
	}
}
