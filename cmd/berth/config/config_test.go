package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	if f, err := Load("/none/here"); err != nil || !reflect.DeepEqual(f, File{}) {
		t.Errorf("no file: %+v, %v", f, err)
	}
	for content, want := range map[string]string{
		"[registry]\nmirrors = ['https://m.example']\ninsecure = ['10.0.0.0/8']\nmax-concurrent-downloads = 2\nmax-concurrent-uploads = 1\n": "",
		"[registry]\nmirror = ['https://m.example']\n": "line 2: there is no setting [registry mirror]",
		"log-level = 'info'\nlog-levle = 'info'\n":     "line 2: there is no setting [log-levle]",
		"[registry]\nmirrors = 3\n":                    "line 2: ",
		"[registry]\nmax-concurrent-downloads = -1\n":  "cannot be negative",
		"[registry\n":                          "line 1: ",
		"log-level = 'loud'":                   `log-level "loud" must be`,
		"labels = ['x']":                       `labels: "x" must be name=value`,
		"[containers]\nulimits = ['nofile']":   `ulimits: "nofile"`,
		"[containers]\nshm-size = 'big'":       `shm-size "big" is no size`,
		"[containers]\nipc-mode = 'host'":      `IPC mode "host"`,
		"[containers]\ncgroupns-mode = 'x'":    `cgroup namespace mode "x"`,
		"root = \"\"\"\n/a\"\"\"\n":            "root and state must be strings on lines of their own",
		"[dns]\nservers = ['localhost']":       `dns servers: "localhost" is no address`,
		"[network]\nmtu = 3":                   "mtu 3: an MTU is",
		"[network]\nbip = '10.0.0.0/8'":        "bip 10.0.0.0/8: want the IPv4 address",
		"[network]\nbip = 'x'":                 `bip: "x" is no address`,
		"[network]\nfixed-cidr = '10.0.0.0/8'": "is not in the subnet of bip",
		"[network]\ndefault-address-pools = [{base='10.0.0.0/16', size=8}]": "cannot be divided",
		"[logs]\ndriver = 'fax'":                              "logger: no log driver named 'fax' is registered",
		"[logs]\ndriver = 'local'\n[logs.options]\ntag = 'x'": "unknown log opt 'tag' for log driver local",
	} {
		path := write(t, content)
		f, err := Load(path)
		switch {
		case want == "" && (err != nil || !slices.Equal(f.Registries("").Mirrors, []string{"https://m.example"}) || f.Registry.Downloads != 2 || f.Registry.Uploads != 1 || len(f.Registry.Insecure) != 1):
			t.Errorf("%s: %+v, %v", content, f, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)):
			t.Errorf("%s: %v, want %q", content, err, want)
		}
	}
}

func TestTheUsersSettingsCountMore(t *testing.T) {
	f, err := Load(write(t, "log-level = 'warn'\ngroup = 'ops'\n[containers]\ninit = true\n"), write(t, "log-level = 'debug'\n[containers]\nshm-size = '1m'\n"))
	if err != nil || f.LogLevel != "debug" || f.Group != "ops" || !f.Containers.Init || f.Containers.ShmSize != "1m" {
		t.Errorf("%+v, %v", f, err)
	}
}

// The example is whole: it is valid, and sets every setting there is.
func TestExample(t *testing.T) {
	var f File
	if err := f.decode([]byte(Example)); err != nil {
		t.Fatal(err)
	}
	var unset func(name string, v reflect.Value)
	unset = func(name string, v reflect.Value) {
		for i := range v.NumField() {
			field := name + v.Type().Field(i).Tag.Get("toml")
			switch {
			case v.Field(i).Kind() == reflect.Struct:
				unset(field+".", v.Field(i))
			case v.Field(i).IsZero():
				t.Errorf("the example does not tell of %s", field)
			}
		}
	}
	unset("", reflect.ValueOf(f))
	s, err := f.Settings()
	if err != nil || s.ShmSize != 64<<20 || len(s.Ulimits) != 1 || s.Ulimits[0].Hard != 2048 || len(s.DNS) != 1 || s.LogOpts["max-file"] != "3" || s.Labels[0] != "rack=3" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestFixed(t *testing.T) {
	old, now := File{Root: "/a", LogLevel: "info"}, File{Root: "/b", LogLevel: "debug", TLS: TLS{CA: "/ca.pem"}}
	if got := now.Fixed(&old); !slices.Equal(got, []string{"root", "tls.ca"}) {
		t.Errorf("got %v", got)
	}
}
