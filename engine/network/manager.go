package network

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/containerd/errdefs"
)

// DefaultState is the state directory whose engine gets the plain device and
// table names.
const DefaultState = "/run/berth"

// Bridge is the name of the default network, as in Docker's API.
const Bridge = "bridge"

// Records stores JSON values under string keys such that they survive the engine.
type Records interface {
	Put(key string, v any) error
	Delete(key string) error
	ForEach(fn func(key string, value []byte) error) error
}

// Config says where an engine's networks live.
type Config struct {
	State     string  // state directory of the engine; names follow from it
	Networks  Records // one record per Network, by ID; durable
	Endpoints Records // one record per Endpoint, by container ID; a reboot may take them
	Log       *slog.Logger
}

// Network is one bridge with its IPv4 subnet.
type Network struct {
	ID      string       // 64 hexadecimal digits
	Name    string       // unique, "bridge" for the default one
	Device  string       // name of the bridge device
	Subnet  netip.Prefix // masked
	Gateway netip.Addr   // the bridge's own address
	MTU     int          // bytes
	Created time.Time
}

// Manager owns the networks of one engine.
type Manager struct {
	state     string
	hash      string // names that belong to this engine carry it
	networks  Records
	endpoints Records
	log       *slog.Logger

	mu    sync.Mutex
	nets  map[string]*Network  // by name
	ends  map[string]*Endpoint // by container ID
	ready map[string]int       // device index of bridges that are up, by network ID
	fw    *firewall
}

// Open reads the records of cfg's engine. It touches neither devices nor
// rules: the first Attach sets up what it needs, Reconcile repairs the rest.
func Open(cfg Config) (*Manager, error) {
	sum := sha256.Sum256([]byte(cfg.State))
	m := &Manager{
		state: cfg.State, hash: hex.EncodeToString(sum[:3]), log: cfg.Log,
		networks: cfg.Networks, endpoints: cfg.Endpoints,
		nets: map[string]*Network{}, ends: map[string]*Endpoint{}, ready: map[string]int{},
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.fw = &firewall{table: m.tableName()}
	err := cfg.Networks.ForEach(func(key string, value []byte) error {
		n := new(Network)
		if err := json.Unmarshal(value, n); err != nil {
			return fmt.Errorf("read network record %s: %w", key, err)
		}
		m.nets[n.Name] = n
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = cfg.Endpoints.ForEach(func(key string, value []byte) error {
		e := new(Endpoint)
		if err := json.Unmarshal(value, e); err != nil {
			return fmt.Errorf("read endpoint record %s: %w", key, err)
		}
		m.ends[e.ContainerID] = e
		return nil
	})
	if err != nil {
		return nil, err
	}
	if m.nets[Bridge] == nil {
		if err := m.addDefault(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// addDefault records the network "bridge" on a subnet that is free now; the
// first Attach looks again.
func (m *Manager) addDefault() error {
	subnet, err := freeSubnet("", nil)
	if err != nil {
		return err
	}
	n := &Network{
		ID: newID(), Name: Bridge, Device: m.deviceName(), Subnet: subnet,
		Gateway: subnet.Addr().Next(), MTU: 1500, Created: time.Now().UTC(),
	}
	if err := m.networks.Put(n.ID, n); err != nil {
		return fmt.Errorf("record network %s: %w", n.Name, err)
	}
	m.nets[n.Name] = n
	return nil
}

// List returns the networks sorted by name.
func (m *Manager) List() []Network {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Network, 0, len(m.nets))
	for _, n := range m.nets {
		all = append(all, *n)
	}
	slices.SortFunc(all, func(a, b Network) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
	return all
}

// Inspect returns the network called ref, or whose ID starts with it, and its
// endpoints by container ID. The error is of kind errdefs.ErrNotFound.
func (m *Manager) Inspect(ref string) (Network, map[string]Endpoint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(ref)
	if err != nil {
		return Network{}, nil, err
	}
	members := map[string]Endpoint{}
	for id, e := range m.ends {
		if e.NetworkID == n.ID {
			members[id] = *e
		}
	}
	return *n, members, nil
}

func (m *Manager) find(ref string) (*Network, error) {
	if n := m.nets[ref]; n != nil {
		return n, nil
	}
	var found *Network
	for _, n := range m.nets {
		if ref != "" && len(ref) <= len(n.ID) && n.ID[:len(ref)] == ref {
			if found != nil {
				return nil, fmt.Errorf("network %s is ambiguous: more than one ID starts with it: %w", ref, errdefs.ErrInvalidArgument)
			}
			found = n
		}
	}
	if found == nil {
		return nil, fmt.Errorf("network %s not found: %w", ref, errdefs.ErrNotFound)
	}
	return found, nil
}

// Close takes the devices and rules away when no container needs them, so that
// an engine without containers leaves the host's network as it found it. With
// containers it leaves everything to the next engine.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	idle := len(m.ends) == 0
	m.mu.Unlock()
	if !idle {
		return nil
	}
	return m.Remove(ctx)
}

// Remove takes away every device and rule of this engine, for a reset. The
// records stay; the caller removes them with the database.
func (m *Manager) Remove(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fw.remove(); err != nil {
		return err
	}
	for _, n := range m.nets {
		if err := removeLink(n.Device); err != nil {
			return err
		}
		delete(m.ready, n.ID)
	}
	return nil
}

func (m *Manager) deviceName() string {
	if m.state == DefaultState {
		return "berth0"
	}
	return "berth-" + m.hash
}

func (m *Manager) tableName() string {
	if m.state == DefaultState {
		return "berth"
	}
	return "berth-" + m.hash
}

func newID() string {
	var b [32]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}
