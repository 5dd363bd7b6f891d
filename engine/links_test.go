package engine

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	api "github.com/moby/moby/api/types/network"
)

func TestParseLink(t *testing.T) {
	for in, want := range map[string]string{"db": "db db", "db:store": "db store", "/db:/web/store": "db store"} {
		if name, alias, err := parseLink(in); err != nil || name+" "+alias != want {
			t.Errorf("%s: %s %s, %v", in, name, alias, err)
		}
	}
	for _, in := range []string{"", "a:b:c"} {
		if _, _, err := parseLink(in); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestPortEnv(t *testing.T) {
	got := portEnv("DB", netip.MustParseAddr("10.0.0.2"), []api.Port{
		api.MustParsePort("53/udp"), api.MustParsePort("81/tcp"), api.MustParsePort("80/tcp"), api.MustParsePort("443/tcp"),
	})
	want := strings.Fields(`DB_PORT=tcp://10.0.0.2:80
		DB_PORT_80_TCP=tcp://10.0.0.2:80 DB_PORT_80_TCP_ADDR=10.0.0.2 DB_PORT_80_TCP_PORT=80 DB_PORT_80_TCP_PROTO=tcp
		DB_PORT_81_TCP=tcp://10.0.0.2:81 DB_PORT_81_TCP_ADDR=10.0.0.2 DB_PORT_81_TCP_PORT=81 DB_PORT_81_TCP_PROTO=tcp
		DB_PORT_80_TCP_START=tcp://10.0.0.2:80 DB_PORT_80_TCP_PORT_START=80 DB_PORT_80_TCP_END=tcp://10.0.0.2:81 DB_PORT_80_TCP_PORT_END=81
		DB_PORT_443_TCP=tcp://10.0.0.2:443 DB_PORT_443_TCP_ADDR=10.0.0.2 DB_PORT_443_TCP_PORT=443 DB_PORT_443_TCP_PROTO=tcp
		DB_PORT_53_UDP=udp://10.0.0.2:53 DB_PORT_53_UDP_ADDR=10.0.0.2 DB_PORT_53_UDP_PORT=53 DB_PORT_53_UDP_PROTO=udp`)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func TestLinksOfTheDefaultNetwork(t *testing.T) {
	r := newRig(t)
	db := shell("exec sleep 1000")
	db.Name = "db"
	db.HostConfig.NetworkMode = "bridge"
	db.Config.Env = []string{"USER=me", "HOME=/x"}
	db.Config.ExposedPorts = api.PortSet{api.MustParsePort("5432/tcp"): {}}
	child := r.run(db)
	ip := r.inspect(child).NetworkSettings.Networks["bridge"].IPAddress.String()

	web := shell("env | grep STORE | sort; grep store /etc/hosts; exec sleep 1000")
	web.Name = "web"
	web.HostConfig.NetworkMode, web.HostConfig.Links = "bridge", []string{"db:store"}
	id := r.run(web)
	want := "STORE_ENV_USER=me\nSTORE_NAME=/web/store\nSTORE_PORT=tcp://" + ip + ":5432\nSTORE_PORT_5432_TCP=tcp://" + ip + ":5432\n" +
		"STORE_PORT_5432_TCP_ADDR=" + ip + "\nSTORE_PORT_5432_TCP_PORT=5432\nSTORE_PORT_5432_TCP_PROTO=tcp\n" +
		ip + "\tstore " + child[:12] + " db\n"
	r.until("the container tells its links", func() string {
		var said text
		if err := r.Containers.Logs(r.ctx, id, LogsOptions{Stdout: true, Tail: -1}, &said); err != nil {
			t.Fatal(err)
		}
		if got := said.out.String(); got != want {
			return "got " + got
		}
		return ""
	})
	if got := r.inspect(id).HostConfig.Links; len(got) != 1 || got[0] != "/db:/web/store" {
		t.Errorf("inspect: %v", got)
	}
	if got := r.inspect("web/store").ID; got != child {
		t.Errorf("web/store is %s, not %s", got, child)
	}
	for _, name := range []string{"web/other", "db/store", "none/store", "web/"} {
		if _, err := r.Containers.Inspect(r.ctx, name, false); !errdefs.IsNotFound(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	list, err := r.Containers.List(r.ctx, ListOptions{})
	if err != nil || !slices.Equal(list[1].Names, []string{"/db", "/web/store"}) {
		t.Errorf("list: %+v, %v", list, err)
	}

	// Another address after a restart is told; another container may have got the old one.
	if err := r.Containers.Stop(r.ctx, child, StopOptions{Signal: "KILL"}); err != nil {
		t.Fatal(err)
	}
	other := shell("exec sleep 1000")
	other.HostConfig.NetworkMode = "bridge"
	taker := r.run(other)
	if err := r.Containers.Start(r.ctx, child, StartOptions{}); err != nil {
		t.Fatal(err)
	}
	now := r.inspect(child).NetworkSettings.Networks["bridge"].IPAddress.String()
	if now == ip {
		t.Fatalf("%s and %s have one address", taker, child)
	}
	hosts := readString(r.inspect(id).HostsPath)
	if !strings.Contains(hosts, now+"\tstore ") || strings.Contains(hosts, ip+"\tstore ") {
		t.Errorf("hosts: %s", hosts)
	}

	if err := r.Containers.RemoveLink("/web/store"); err != nil {
		t.Fatal(err)
	}
	if hosts := readString(r.inspect(id).HostsPath); strings.Contains(hosts, "store") || len(r.inspect(id).HostConfig.Links) > 0 {
		t.Errorf("the link stays: %s", hosts)
	}
	if err := r.Containers.RemoveLink("web/store"); !errdefs.IsNotFound(err) {
		t.Errorf("again: %v", err)
	}
	if err := r.Containers.RemoveLink("web"); !errdefs.IsConflict(err) {
		t.Errorf("its own name: %v", err)
	}
}

func TestALinkNeedsARunningContainer(t *testing.T) {
	r := newRig(t)
	db := shell("true")
	db.Name = "db"
	r.create(db)
	web := shell("true")
	web.Name, web.HostConfig.Links, web.HostConfig.NetworkMode = "web", []string{"db"}, "bridge"
	err := r.Containers.Start(r.ctx, r.create(web), StartOptions{})
	if !errdefs.IsConflict(err) || err.Error() != "Cannot link to a non running container: /db AS /web/db" {
		t.Errorf("got %v", err)
	}
}
