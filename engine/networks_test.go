package engine

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"berth/engine/filter"
	engnet "berth/engine/network"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
)

// memoryRecords keeps records in memory.
type memoryRecords map[string][]byte

func (r memoryRecords) Put(key string, v any) (err error) {
	r[key], err = json.Marshal(v)
	return err
}

func (r memoryRecords) Delete(key string) error {
	delete(r, key)
	return nil
}

func (r memoryRecords) ForEach(fn func(key string, value []byte) error) error {
	for key, value := range r {
		if err := fn(key, value); err != nil {
			return err
		}
	}
	return nil
}

func TestNetworksThatEveryEngineHas(t *testing.T) {
	manager, err := engnet.Open(engnet.Config{
		State: t.TempDir(), Networks: memoryRecords{}, Endpoints: memoryRecords{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	n := &Networks{manager: manager, name: func(string) string { return "" }}
	names := func(f filter.Args) string {
		t.Helper()
		list, err := n.List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, one := range list {
			all = append(all, one.Name)
		}
		return strings.Join(all, " ")
	}
	for want, f := range map[string]filter.Args{
		"bridge host none": {},
		"bridge":           {"driver": {"bridge"}},
		"host none":        {"name": {"^h", "none"}},
		"":                 {"type": {"custom"}},
	} {
		if got := names(f); got != want {
			t.Errorf("%v: got %q, want %q", f, got, want)
		}
	}
	if got := names(filter.Args{"dangling": {"true"}}); got != "" {
		t.Errorf("what every engine has is never dangling, got %q", got)
	}
	for _, bad := range []filter.Args{{"colour": {"red"}}, {"type": {"odd"}}, {"dangling": {"maybe"}}} {
		if _, err := n.List(t.Context(), bad); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%v: got %v", bad, err)
		}
	}
	host, err := n.Inspect(t.Context(), "host")
	if err != nil || host.Driver != "host" || host.Scope != "local" || len(host.ID) != 64 {
		t.Errorf("got %+v, %v", host, err)
	}
	if again, err := n.Inspect(t.Context(), host.ID[:12]); err != nil || again.Name != "host" {
		t.Errorf("by the beginning of its ID: %+v, %v", again, err)
	}
	bridge, err := n.Inspect(t.Context(), "bridge")
	if err != nil || len(bridge.IPAM.Config) != 1 || !bridge.IPAM.Config[0].Subnet.IsValid() || bridge.Options["com.docker.network.bridge.name"] == "" {
		t.Errorf("got %+v, %v", bridge, err)
	}
	for _, ref := range []string{"", "nope", strings.Repeat("0", 65)} {
		if _, err := n.Inspect(t.Context(), ref); !errdefs.IsNotFound(err) {
			t.Errorf("%q: got %v", ref, err)
		}
	}
}

// The address families of a network are those of the request, else those of the driver options.
func TestFamiliesByOptions(t *testing.T) {
	yes, no := true, false
	six := func(value string) map[string]string {
		return map[string]string{"com.docker.network.enable_ipv6": value}
	}
	for name, c := range map[string]struct {
		req       network.CreateRequest
		four, six bool
	}{
		"nothing":       {network.CreateRequest{}, true, false},
		"option":        {network.CreateRequest{Options: six("true")}, true, true},
		"request first": {network.CreateRequest{EnableIPv6: &no, Options: six("true")}, true, false},
		"IPv4 off":      {network.CreateRequest{EnableIPv6: &yes, Options: map[string]string{"com.docker.network.enable_ipv4": "0"}}, false, true},
		"not a bool":    {network.CreateRequest{Options: six("maybe")}, true, false},
	} {
		c.req.Name = "n"
		s, err := createSpec(c.req)
		if name == "not a bool" {
			if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), `driver-opt "com.docker.network.enable_ipv6" is not a valid bool`) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || s.IPv4 != c.four || s.IPv6 != c.six {
			t.Errorf("%s: IPv4 %v, IPv6 %v, %v", name, s.IPv4, s.IPv6, err)
		}
	}
}

func TestNetworksOfASwarm(t *testing.T) {
	n := newRig(t).Networks
	for want, req := range map[string]network.CreateRequest{
		"cannot create a swarm scoped network when swarm is not active": {Name: "a", Scope: "swarm"},
		"Ingress network can only be global scope network":              {Name: "a", Ingress: true},
	} {
		if _, err := n.Create(t.Context(), req); !errdefs.IsPermissionDenied(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// The networks host and none are there once.
func TestNoSecondHostNetwork(t *testing.T) {
	for _, driver := range []string{"host", "null"} {
		_, err := createSpec(network.CreateRequest{Name: "n", Driver: driver})
		if want := fmt.Sprintf("only one instance of %q network is allowed", driver); !errdefs.IsPermissionDenied(err) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", driver, err)
		}
	}
}
