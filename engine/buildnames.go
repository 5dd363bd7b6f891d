package engine

import (
	"errors"
	"fmt"
	"os"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// stepNames is how the steps of builds find others by name: as containers do.
type stepNames struct {
	cs *Containers
}

// in is the record of a container in one network.
func in(mode container.NetworkMode) record {
	rec := record{Config: &container.Config{}, HostConfig: &container.HostConfig{NetworkMode: mode}}
	if mode.IsUserDefined() {
		rec.Networking = withNetwork(nil, mode.UserDefined(), &network.EndpointSettings{})
	}
	return rec
}

// ResolvConf implements build.Names.
func (stepNames) ResolvConf(mode container.NetworkMode) ([]byte, error) { return resolvConf(in(mode)) }

// Resolve implements build.Names. Nobody keeps the sockets: a build ends with its engine.
func (n stepNames) Resolve(containerID string, netns *os.File) error {
	forwarders, err := forwarders(in(""))
	if err != nil {
		return err
	}
	sockets, err := n.cs.e.network.Resolve(containerID, forwarders, netns, nil)
	for _, f := range sockets {
		err = errors.Join(err, f.Close())
	}
	return err
}

// Join implements build.Names.
func (n stepNames) Join(ref string) (_ *os.File, hosts, resolv []byte, err error) {
	netns, rec, err := n.cs.openNamespace(ref, "net")
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() {
		if err != nil {
			netns.Close()
		}
	}()
	for _, f := range n.cs.hostFiles(n.cs.networkOwner(rec).ID) {
		switch f.Destination {
		case "/etc/hosts":
			hosts, err = os.ReadFile(f.Source)
		case "/etc/resolv.conf":
			resolv, err = os.ReadFile(f.Source)
		}
		if err != nil {
			return nil, nil, nil, fmt.Errorf("read the names that container %s knows: %w", rec.ID, err)
		}
	}
	return netns, hosts, resolv, nil
}
