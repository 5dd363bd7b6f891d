package network

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"berth/shim"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// Holder keeps the sockets that reserve a container's ports for as long as the container
// lives, whatever becomes of the engine, and passes on what arrives at them. It is a
// container's shim; see shim.Client for the methods.
type Holder interface {
	Forward(list []shim.Forward, sockets ...*os.File) error
	Forwards() ([]shim.Forward, error)
}

// forward is b as a Holder has it.
func (b PortBinding) forward(e *Endpoint) shim.Forward {
	to := e.IP
	if b.HostIP.Is6() && e.IP6.IsValid() || !to.IsValid() {
		to = e.IP6
	}
	return shim.Forward{
		Name:  b.Proto + " " + netip.AddrPortFrom(b.HostIP, b.HostPort).String(),
		Proto: uint8(protocols[b.Proto].proto), Addr: to.AsSlice(), Port: b.ContainerPort, Socket: b.socket != nil,
	}
}

// hold hands the sockets of e's ports over, or has those that h holds lead to e.
func hold(h Holder, e *Endpoint) error {
	if len(onHost(e.Ports)) == 0 {
		return nil
	}
	var list []shim.Forward
	var sockets []*os.File
	for _, b := range onHost(e.Ports) {
		list = append(list, b.forward(e))
		if b.socket != nil {
			sockets = append(sockets, b.socket)
		}
	}
	return h.Forward(list, sockets...)
}

// release has h give ports back.
func release(h Holder, e *Endpoint, ports []PortBinding) error {
	var list []shim.Forward
	for _, b := range onHost(ports) {
		f := b.forward(e)
		f.Addr, f.Socket = nil, false
		list = append(list, f)
	}
	if len(list) == 0 {
		return nil
	}
	return h.Forward(list)
}

// Resume goes on with the published ports of a container that an earlier engine has
// left behind: what h does not hold of them, because that engine died before it had
// handed them over, is reserved now, and what it holds beyond them is given back. A
// disconnect that was interrupted is completed.
func (m *Manager) Resume(containerID string, h Holder, netns *os.File) error {
	m.mu.Lock()
	m.holders[containerID] = h
	m.mu.Unlock()
	if err := errors.Join(m.keepInside(containerID, netns), m.completeLeaving(containerID, netns)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	held, err := h.Forwards()
	if err != nil {
		return fmt.Errorf("ask for the ports of container %s: %w", containerID, err)
	}
	var errs []error
	known := map[string]bool{}
	for _, e := range m.ends[containerID] {
		ports := onHost(e.Ports)
		for i := range ports {
			name := ports[i].forward(e).Name
			known[name] = true
			if slices.ContainsFunc(held, func(f shim.Forward) bool { return f.Name == name }) {
				continue
			}
			if ports[i].socket, err = bind(ports[i]); err != nil {
				errs = append(errs, fmt.Errorf("reserve port %s of container %s again: %w", name, containerID, err))
			}
		}
		now := *e
		now.Ports = slices.DeleteFunc(ports, func(b PortBinding) bool {
			name := b.forward(e).Name
			return b.socket == nil && !slices.ContainsFunc(held, func(f shim.Forward) bool { return f.Name == name })
		})
		errs = append(errs, hold(h, &now))
		closePorts(now.Ports)
	}
	var extra []shim.Forward
	for _, f := range held {
		if !known[f.Name] {
			f.Addr, f.Socket = nil, false
			extra = append(extra, f)
		}
	}
	return errors.Join(append(errs, h.Forward(extra))...)
}

// completeLeaving takes away the endpoints of a container whose disconnect was interrupted.
func (m *Manager) completeLeaving(containerID string, netns *os.File) error {
	m.mu.Lock()
	ends := slices.DeleteFunc(slices.Clone(m.ends[containerID]), func(e *Endpoint) bool { return !e.Leaving })
	m.mu.Unlock()
	if len(ends) == 0 {
		return nil
	}
	in, err := openSandbox(netns)
	if err != nil {
		return err
	}
	defer in.close()
	var errs []error
	for _, e := range ends {
		errs = append(errs, m.leave(e, in))
	}
	return errors.Join(errs...)
}

// explain says in docker's words why a port could not be had, and adds who has it.
func (m *Manager) explain(bs []PortBinding, port uint16, cause error, own []PortBinding) error {
	b := bs[0]
	b.HostPort = port
	at := netip.AddrPortFrom(b.HostIP, port)
	if !errors.Is(cause, unix.EADDRINUSE) {
		kind := errdefs.ErrInternal
		if errdefs.IsNotImplemented(cause) || errdefs.IsInvalidArgument(cause) {
			return cause
		}
		return fmt.Errorf("failed to bind host port for %s/%s: %w: %w", at, b.Proto, cause, kind)
	}
	takes := func(o PortBinding) bool {
		return o.Proto == b.Proto && o.HostPort == port && slices.ContainsFunc(bs, func(b PortBinding) bool {
			return o.HostIP == b.HostIP || o.HostIP.Is4() == b.HostIP.Is4() && (o.HostIP.IsUnspecified() || b.HostIP.IsUnspecified())
		})
	}
	who := ""
	if slices.ContainsFunc(own, takes) {
		who = "this container"
	}
	for _, ends := range m.ends {
		for _, e := range ends {
			if slices.ContainsFunc(e.Ports, takes) {
				who = fmt.Sprintf("container %s (%.12s)", e.Name, e.ContainerID)
			}
		}
	}
	if who != "" {
		//lint:ignore ST1005 the words are docker's, and tools look for them
		return fmt.Errorf("Bind for %s failed: port is already allocated by %s: %w", at, who, errdefs.ErrInternal)
	}
	if who = process(b.Proto, bs, port); who != "" {
		who = " by " + who
	}
	return fmt.Errorf("failed to bind host port for %s/%s: address already in use%s: %w", at, b.Proto, who, errdefs.ErrInternal)
}

// process names the process of the host that has the port, as far as it can be seen.
func process(proto string, bs []PortBinding, port uint16) string {
	inodes := map[string]bool{}
	for _, b := range bs {
		for _, file := range []string{proto, proto + "6"} { // a socket of IPv6 may have both
			b4 := file == proto
			table, err := os.ReadFile("/proc/thread-self/net/" + file) // the first thread may be in a namespace of a container
			if err != nil {
				continue
			}
			for line := range bytes.Lines(table) {
				f := strings.Fields(string(line))
				if len(f) < 10 {
					continue
				}
				const listening = "0A"
				addr, hexPort, _ := strings.Cut(f[1], ":")
				if p, err := strconv.ParseUint(hexPort, 16, 16); err != nil || uint16(p) != port || proto == "tcp" && f[3] != listening {
					continue
				}
				ip, ok := procAddr(addr)
				if ok && (ip.IsUnspecified() || b.HostIP.IsUnspecified() || ip == b.HostIP) && (b4 == b.HostIP.Is4() || !b4) {
					inodes["socket:["+f[9]+"]"] = true
				}
			}
		}
	}
	if len(inodes) == 0 {
		return ""
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return ""
	}
	for _, dir := range processes {
		fds, err := os.ReadDir(dir + "/fd")
		if err != nil {
			continue // it is gone
		}
		for _, fd := range fds {
			if to, err := os.Readlink(filepath.Join(dir, "fd", fd.Name())); err != nil || !inodes[to] {
				continue
			}
			if name, err := os.ReadFile(dir + "/comm"); err == nil {
				return fmt.Sprintf("%s (process %s)", bytes.TrimSpace(name), filepath.Base(dir))
			}
		}
	}
	return ""
}

// procAddr reads an address of /proc/net/tcp and its like: hexadecimal words in the
// order of the machine.
func procAddr(s string) (netip.Addr, bool) {
	b, err := hex.DecodeString(s)
	if err != nil {
		return netip.Addr{}, false
	}
	for w := range slices.Chunk(b, 4) {
		binary.NativeEndian.PutUint32(w, binary.BigEndian.Uint32(w))
	}
	a, ok := netip.AddrFromSlice(b)
	return a.Unmap(), ok
}
