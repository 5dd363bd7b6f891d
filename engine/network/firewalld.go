package network

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/godbus/dbus/v5"
)

// firewalld rejects what is forwarded by the last rule of its chains, so that nothing can be
// put behind it, and has to be told of each bridge. As docker's, ours are in a zone that
// accepts; whoever has put one into another zone has decided otherwise, and it stays there.

// trusted is the zone of firewalld that accepts.
const trusted = "trusted"

// busPatience is how long the bus and firewalld may take: it answers nobody while it loads
// its rules. A variable for the test.
var busPatience = 10 * time.Second

// zones calls fn with firewalld, if it runs.
func zones(fn func(call func(method string, args ...any) *dbus.Call) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), busPatience)
	defer cancel()
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx)) // who accepts and says nothing is left, too
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("ask the system bus for firewalld: it has not answered for %s: %w", busPatience, errdefs.ErrUnavailable)
		}
		return nil //nolint:nilerr // without a bus there is no firewalld
	}
	defer conn.Close()
	const name = "org.fedoraproject.FirewallD1"
	var there bool
	if err := conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, name).Store(&there); err != nil || !there {
		return err
	}
	obj := conn.Object(name, "/org/fedoraproject/FirewallD1")
	return fn(func(method string, args ...any) *dbus.Call {
		return obj.CallWithContext(ctx, name+".zone."+method, 0, args...)
	})
}

// tellFirewalld tells of the bridges that have come up since it was called last. m.mu is not
// held: firewalld may take its time.
func (m *Manager) tellFirewalld() {
	m.mu.Lock()
	devices := m.untold
	m.untold = nil
	m.mu.Unlock()
	// Without it containers reach only as far as firewalld lets them: no reason not to run.
	if err := trust(devices...); err != nil {
		m.log.Warn("containers may be cut off", "bridges", devices, "error", err)
	}
}

// trust has firewalld accept the traffic of bridges that it has in no zone.
func trust(devices ...string) error {
	return inZone(devices, "", "addInterface")
}

// distrust has it forget about bridges that go.
func distrust(devices ...string) error {
	return inZone(devices, trusted, "removeInterface")
}

// inZone calls method for the devices that are in a zone, "" for none.
func inZone(devices []string, zone, method string) error {
	if len(devices) == 0 {
		return nil
	}
	return zones(func(call func(string, ...any) *dbus.Call) error {
		var errs []error
		for _, d := range devices {
			var is, done string
			err := call("getZoneOfInterface", d).Store(&is)
			if err == nil && is == zone {
				err = call(method, trusted, d).Store(&done)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("tell firewalld of %s (%s): %w", d, method, err))
			}
		}
		return errors.Join(errs...)
	})
}
