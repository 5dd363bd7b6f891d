//go:build !client

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/contexts"
	"berth/tui"
)

// otherSockets are the usual sockets of the engines that are not berth's.
func otherSockets(getenv func(string) string) []string {
	sockets := []string{"/var/run/docker.sock", "/run/podman/podman.sock"}
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		sockets = append(sockets, filepath.Join(dir, "docker.sock"), filepath.Join(dir, "podman", "podman.sock"))
	}
	return sockets
}

// engines are those that the console can go to: this machine's, those with names,
// and the usual sockets of others that are there.
func (a *app) engines() ([]tui.Engine, error) {
	local := a.conf
	local.Host = ""
	out := []tui.Engine{{Name: "local", Note: local.Socket()}}
	known := map[string]bool{local.Socket(): true, "": true}
	list, err := a.contextStore().List()
	for _, c := range list {
		known[c.Host] = true
		out = append(out, tui.Engine{Name: c.Name, Note: strings.TrimSpace(c.Host + "  " + c.Description)})
	}
	hosts := []string{a.conf.Host}
	for _, path := range a.sockets {
		if _, err := os.Stat(path); err == nil {
			hosts = append(hosts, "unix://"+path)
		}
	}
	for _, host := range hosts {
		if !known[host] {
			known[host] = true
			out = append(out, tui.Engine{Name: host, Note: "berth -H " + host})
		}
	}
	return out, err
}

// goTo makes a.conf that of another engine. When that cannot be, it stays, and the
// console says why.
func (a *app) goTo(name string) {
	before, shown := a.conf, name
	a.conf.TLS = connect.Environment(lookupIn(a.environ)).TLS
	switch {
	case name == "local":
		a.conf.Host, shown = "", ""
	case strings.Contains(name, "://"):
		a.conf.Host = name
		a.refused = connect.CheckHost(name)
	default:
		var c contexts.Context
		if c, a.refused = a.contextStore().Get(name); a.refused == nil {
			a.useContext(c)
			if a.refused = connect.CheckHost(c.Host); a.refused != nil {
				a.refused = fmt.Errorf("context %s: %w", name, a.refused)
			}
		}
	}
	if a.refused != nil {
		a.conf = before
		return
	}
	a.engineName = shown
}
