package network

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

// DefaultState is the state directory whose engine gets the plain device and
// table names.
const DefaultState = "/run/berth"

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
	Endpoints Records // one record per Endpoint, by container and network; a reboot may take them
	Log       *slog.Logger
	// Called tells whether some container, running or not, is called so by those in one of
	// its networks: nobody outside is asked about it. The name is in lower case. Nil: none is.
	Called func(name string) bool
	// Defaults are what the user chose for the default network and for subnets.
	Defaults Defaults
}

// Manager owns the networks of one engine.
type Manager struct {
	state     string
	hash      string // names that belong to this engine carry it
	networks  Records
	endpoints Records
	log       *slog.Logger
	called    func(name string) bool // see Config
	defaults  Defaults

	mu        sync.Mutex
	nets      map[string]*Network    // by name
	ends      map[string][]*Endpoint // by container ID, in the order of their interfaces
	names     map[string]names       // who is called how, by network ID
	addrs     map[string]addrs       // who has which address, by network ID
	resolvers map[string]*resolver   // by container ID
	holders   map[string]Holder      // by container ID, of those that have endpoints
	inside    map[string]*os.File    // namespaces of containers in macvlan networks, by container ID
	nextPort  int                    // where the choice of a host port goes on
	portRange *os.File               // which these are; nil: not needed yet
	ready     map[string]int         // device index of bridges that are up, by network ID
	untold    []string               // bridges that are up and that firewalld has not been told of
	fw        *firewall
	watch     *watch // nil: nothing is set up that somebody could take
}

// Open reads the records of cfg's engine. It touches neither devices nor
// rules: the first Attach sets up what it needs, Reconcile repairs the rest.
func Open(cfg Config) (*Manager, error) {
	if err := cfg.Defaults.Check(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(cfg.State))
	m := &Manager{
		state: cfg.State, hash: hex.EncodeToString(sum[:3]), log: cfg.Log,
		networks: cfg.Networks, endpoints: cfg.Endpoints, called: cfg.Called, defaults: cfg.Defaults,
		nets: map[string]*Network{}, ends: map[string][]*Endpoint{}, names: map[string]names{}, addrs: map[string]addrs{}, resolvers: map[string]*resolver{}, holders: map[string]Holder{}, inside: map[string]*os.File{}, ready: map[string]int{},
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.fw = &firewall{table: m.tableName(), router: map[*family]bool{}, there: map[*family]bool{}, rules: map[*family]int{}}
	for _, f := range families {
		_, err := os.Stat(m.turnedOn(f))
		m.fw.router[f] = err == nil
	}
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
		m.add(e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for id, ends := range m.ends {
		if err := m.onePortHolder(ends); err != nil {
			return nil, fmt.Errorf("record the endpoints of container %s: %w", id, err)
		}
	}
	if m.nets[Bridge] == nil {
		if err := m.addDefault(); err != nil {
			return nil, err
		}
	}
	return m, m.applyDefaults()
}

// addDefault records the network "bridge" on a subnet that is free now; the
// first Attach looks again.
func (m *Manager) addDefault() error {
	n := &Network{ID: newID(), Name: Bridge, Device: m.deviceName(), MTU: defaultMTU, Created: time.Now().UTC()}
	subnet, err := m.freeSubnet(n, nil, false)
	if err != nil {
		return err
	}
	n.V4 = Pool{Subnet: subnet, Gateway: subnet.Addr().Next(), Chosen: true}
	if err := m.networks.Put(n.ID, n); err != nil {
		return fmt.Errorf("record network %s: %w", n.Name, err)
	}
	m.nets[n.Name] = n
	return nil
}

// Close takes the devices and rules away when no container needs them, so that
// an engine without containers leaves the host's network as it found it. With
// containers it leaves everything to the next engine.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	idle, asked := len(m.ends) == 0, slices.Collect(maps.Keys(m.resolvers))
	m.mu.Unlock()
	for _, id := range asked {
		m.stopResolver(id)
	}
	m.stopWatch()
	m.mu.Lock()
	if m.portRange != nil {
		m.portRange.Close()
		m.portRange = nil
	}
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
	var gone []string
	for _, n := range bridges(m.nets) {
		if !n.Borrowed {
			gone = append(gone, n.Device)
		}
	}
	err := m.removeAll()
	m.mu.Unlock()
	if err != nil {
		return err
	}
	if err := distrust(gone...); err != nil {
		m.log.Warn("bridges that are gone", "error", err)
	}
	return nil
}

// removeAll is Remove without what firewalld knows. m.mu is held.
func (m *Manager) removeAll() error {
	if err := errors.Join(m.fw.remove(), m.fw.passForeign(nil), m.removeStrayVeths(nil)); err != nil {
		return err
	}
	for _, n := range m.nets {
		if err := removeBridge(n); err != nil {
			return err
		}
		delete(m.ready, n.ID)
	}
	return errors.Join(m.removeOwned(), m.stopForwarding())
}

// removeOwned removes the devices that this engine made and has no record of.
func (m *Manager) removeOwned() error {
	links, err := dump(netlink.LinkList)
	if err != nil {
		return fmt.Errorf("list network devices: %w", err)
	}
	var errs []error
	for _, l := range links {
		if l.Attrs().Alias == m.tableName() {
			errs = append(errs, removeLink(l.Attrs().Name))
		}
	}
	return errors.Join(errs...)
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
