// Package listeners tells which programs of this machine listen on which ports, so
// that a port that is taken is known, and by whom, before a container wants it.
//
// It reads proc(5). Of other users' programs only root sees the names.
package listeners

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Listener is a socket that takes what comes to a port.
type Listener struct {
	Addr  netip.Addr // zero: every address, of both families for all that can be seen
	Port  uint16
	Proto string // tcp or udp
	PID   int    // 0: it cannot be seen whose it is
	Name  string // of the program
}

// By names the program.
func (l Listener) By() string {
	if l.PID == 0 {
		return "another program"
	}
	return fmt.Sprintf("%s (%d)", l.Name, l.PID)
}

// listening is the state of a socket that listens (include/net/tcp_states.h), unconnected
// that of a datagram socket that takes what comes from anybody.
const listening, unconnected = "0A", "07"

// All are the listeners in a proc file system, usually "/proc".
func All(proc string) ([]Listener, error) {
	var out []Listener
	byInode := map[string][]int{}
	for _, table := range []struct{ file, proto, state string }{
		{"tcp", "tcp", listening}, {"tcp6", "tcp", listening}, {"udp", "udp", unconnected}, {"udp6", "udp", unconnected},
	} {
		f, err := os.Open(filepath.Join(proc, "net", table.file))
		if errors.Is(err, fs.ErrNotExist) {
			continue // without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("looking for ports that are taken: %w", err)
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			// sl local_address rem_address st queues timer retransmits uid timeout inode
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != table.state {
				continue
			}
			if addr, port, ok := address(fields[1]); ok {
				byInode[fields[9]] = append(byInode[fields[9]], len(out))
				out = append(out, Listener{Addr: addr, Port: port, Proto: table.proto})
			}
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			return nil, fmt.Errorf("looking for ports that are taken: %w", err)
		}
	}
	name(proc, byInode, out)
	return out, nil
}

// address reads "0100007F:1F90": words of four bytes in the machine's order, which
// is that of all machines that berth runs on, and a port.
func address(s string) (netip.Addr, uint16, bool) {
	ip, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(ip)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b)%4 != 0 {
		return netip.Addr{}, 0, false
	}
	for word := range slices.Chunk(b, 4) {
		slices.Reverse(word)
	}
	addr, ok := netip.AddrFromSlice(b)
	if addr = addr.Unmap(); addr.IsUnspecified() {
		addr = netip.Addr{}
	}
	return addr, uint16(n), ok
}

// name finds the programs that have the sockets. What cannot be read belongs to
// others, or has just ended.
func name(proc string, byInode map[string][]int, out []Listener) {
	fds, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	if err != nil {
		return
	}
	for _, fd := range fds {
		to, err := os.Readlink(fd)
		if err != nil || !strings.HasPrefix(to, "socket:[") {
			continue
		}
		for _, i := range byInode[to[len("socket:["):len(to)-1]] {
			dir := filepath.Dir(filepath.Dir(fd))
			comm, err := os.ReadFile(filepath.Join(dir, "comm"))
			if pid, errPID := strconv.Atoi(filepath.Base(dir)); err == nil && errPID == nil {
				out[i].PID, out[i].Name = pid, strings.TrimSpace(string(comm))
			}
		}
	}
}
