package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"berth/engine/network"
	"berth/shim"

	"github.com/moby/buildkit/executor"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/moby/api/types/container"
)

// Network connects steps to the default network, or one that the client named.
type Network interface {
	Attach(ctx context.Context, spec network.AttachSpec, netns *os.File) (network.Endpoint, error)
	Detach(ctx context.Context, containerID string) error
}

// Names are how steps find others by name.
type Names interface {
	// ResolvConf is the content of /etc/resolv.conf in a network.
	ResolvConf(mode container.NetworkMode) ([]byte, error)
	// Resolve starts the name server of a container in a user-defined network, whose
	// namespace netns is. It ends when the container is detached.
	Resolve(containerID string, netns *os.File) error
	// Join opens the network namespace of a running container, and gives its hosts and
	// resolv.conf.
	Join(ref string) (netns *os.File, hosts, resolv []byte, err error)
}

// stepNet is the network of a step.
type stepNet struct {
	mode   container.NetworkMode
	joined *os.File // the namespace of another container, nil without
	hosts  []byte   // of that container
}

// path is by what name the runtime opens the namespace of another container; "" without.
func (n stepNet) path() string {
	if n.joined == nil {
		return ""
	}
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.joined.Fd())
}

// prepareNet decides on the network and makes the files that the engine gives every container.
func (s *step) prepareNet(meta executor.Meta, place Place) (err error) {
	s.net.mode = container.NetworkMode(place.Network)
	switch {
	case meta.NetMode == pb.NetMode_HOST:
		s.net.mode = "host"
	case meta.NetMode == pb.NetMode_NONE:
		s.net.mode = "none"
	case place.Network == "":
		s.net.mode = network.Bridge
	}
	var resolv []byte
	if s.net.mode.IsContainer() {
		s.net.joined, s.net.hosts, resolv, err = s.opts.Names.Join(s.net.mode.ConnectedContainer())
		if err != nil {
			return fmt.Errorf("join the network of a container for a build step: %w", err)
		}
		s.undo = append(s.undo, s.net.joined.Close)
	} else if resolv, err = s.opts.Names.ResolvConf(s.net.mode); err != nil {
		return err
	}
	name := meta.Hostname
	if name == "" {
		name = s.id[:12]
	}
	for file, content := range map[string][]byte{"resolv.conf": resolv, "hostname": []byte(name + "\n"), "hosts": nil} {
		if err := os.WriteFile(filepath.Join(s.dir, file), content, 0o644); err != nil {
			return fmt.Errorf("write %s of a build step: %w", file, err)
		}
	}
	return nil
}

// connect gives the parked container its network.
func (s *step) connect(ctx context.Context, client *shim.Client, meta executor.Meta) error {
	var end network.Endpoint
	mode := s.net.mode
	if !mode.IsHost() && !mode.IsContainer() {
		netns, err := client.NetNS()
		if err != nil {
			return err
		}
		defer netns.Close()
		if mode.IsNone() {
			err = network.Loopback(netns)
		} else {
			end, err = s.attach(ctx, netns)
		}
		if err != nil {
			return err
		}
	}
	return s.writeHosts(meta, end)
}

// attach connects the container, whose namespace netns is, to its network.
func (s *step) attach(ctx context.Context, netns *os.File) (network.Endpoint, error) {
	end, err := s.opts.Network.Attach(ctx, network.AttachSpec{ContainerID: s.id, Name: "build-" + s.id[:12], Network: string(s.net.mode)}, netns)
	if err != nil {
		return end, err
	}
	s.undo = append(s.undo, func() error { return s.opts.Network.Detach(ctx, s.id) })
	if s.net.mode.IsUserDefined() {
		err = s.opts.Names.Resolve(s.id, netns)
	}
	return end, err
}

// writeHosts fills /etc/hosts once the address is known.
func (s *step) writeHosts(meta executor.Meta, end network.Endpoint) error {
	var b bytes.Buffer
	switch {
	case s.net.mode.IsContainer():
		b.Write(s.net.hosts)
	case s.net.mode.IsHost():
		host, err := os.ReadFile("/etc/hosts")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read the host's hosts file: %w", err)
		}
		b.Write(host)
	default:
		b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n" +
			"ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n")
	}
	for _, h := range meta.ExtraHosts {
		fmt.Fprintf(&b, "%s\t%s\n", net.IP(h.IP), h.Host)
	}
	if end.IP.IsValid() {
		fmt.Fprintf(&b, "%s\t%s\n", end.IP, strings.TrimSpace(s.spec.Hostname))
	}
	if err := os.WriteFile(filepath.Join(s.dir, "hosts"), b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write hosts of a build step: %w", err)
	}
	return nil
}
