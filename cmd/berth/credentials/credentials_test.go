package credentials

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/registry"
)

func TestServer(t *testing.T) {
	for name, want := range map[string]string{
		"": Hub, "docker.io": Hub, "index.docker.io": Hub, "https://index.docker.io/v1/": Hub, "registry-1.docker.io": Hub,
		"localhost:5000": "localhost:5000", "https://r.example/v2/": "r.example", "http://r.example:80": "r.example:80",
	} {
		if got := Server(name); got != want {
			t.Errorf("server of %q: %q, want %q", name, got, want)
		}
	}
}

func TestPath(t *testing.T) {
	env := map[string]string{"HOME": "/home/ann"}
	getenv := func(name string) string { return env[name] }
	if got := Path(getenv); got != "/home/ann/.docker/config.json" {
		t.Error(got)
	}
	env["DOCKER_CONFIG"] = "/elsewhere"
	if got := Path(getenv); got != "/elsewhere/config.json" {
		t.Error(got)
	}
}

// load reads a config.json with this content.
func load(t *testing.T, content string, environ ...string) (*File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dir", "config.json")
	if content != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Load(path, environ)
	if err != nil {
		t.Fatal(err)
	}
	return f, path
}

func TestPutGetErase(t *testing.T) {
	f, path := load(t, "")
	ann := registry.AuthConfig{ServerAddress: "r.example", Username: "ann", Password: "pass:word"}
	if plain, err := f.Put(ann); err != nil || !plain {
		t.Fatalf("put: %v, %v", plain, err)
	}
	if _, err := f.Put(registry.AuthConfig{ServerAddress: Hub, Username: "bob", IdentityToken: "id"}); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("config.json: %v %v", fi.Mode(), err)
	}
	again, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Get("r.example"); err != nil || got != ann {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := again.Get(Hub); err != nil || got.IdentityToken != "id" || got.Username != "bob" || got.Password != "" {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := again.Erase("r.example"); err != nil {
		t.Fatal(err)
	}
	last, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := last.Get("r.example"); err != nil || got.Username != "" {
		t.Errorf("after erasing: %+v, %v", got, err)
	}
}

func TestWhatIsNotOursStays(t *testing.T) {
	f, path := load(t, `{"auths":{"https://old.example/v1/":{"auth":"YTpi"}},"psFormat":"x","plugins":{"a":{"b":"c"}}}`)
	if got, err := f.Get("old.example"); err != nil || got.Username != "a" || got.Password != "b" {
		t.Errorf("an address of old: %+v, %v", got, err)
	}
	if _, err := f.Put(registry.AuthConfig{ServerAddress: "r.example", Username: "u", Password: "p"}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		PsFormat string
		Plugins  map[string]map[string]string
		Auths    map[string]entry
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.PsFormat != "x" || doc.Plugins["a"]["b"] != "c" || len(doc.Auths) != 2 {
		t.Errorf("config.json is now %s", data)
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// helper is a credential helper that keeps what it is given in a file.
const helper = `#!/bin/sh
case $1 in
store) cat >"$STORE" ;;
get) read -r server
	if [ -f "$STORE" ]; then cat "$STORE"; else echo "credentials not found in native keychain"; exit 1; fi ;;
erase) rm "$STORE" ;;
esac
`

func TestHelpers(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-test"), []byte(helper), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	environ := append(os.Environ(), "STORE="+filepath.Join(dir, "kept"))
	f, path := load(t, `{"credHelpers":{"r.example":"test"}}`, environ...)
	if got, err := f.Get("r.example"); err != nil || got.Username != "" {
		t.Errorf("before: %+v, %v", got, err)
	}
	for _, auth := range []registry.AuthConfig{
		{ServerAddress: "r.example", Username: "ann", Password: "secret"}, {ServerAddress: "r.example", IdentityToken: "id"},
	} {
		if plain, err := f.Put(auth); err != nil || plain {
			t.Fatalf("put: %v, %v", plain, err)
		}
		if got, err := f.Get("r.example"); err != nil || got != auth {
			t.Errorf("got %+v, %v, want %+v", got, err, auth)
		}
	}
	if data, err := os.ReadFile(path); err != nil || strings.Contains(string(data), "secret") {
		t.Errorf("config.json has the secret: %s, %v", data, err)
	}
	if err := f.Erase("r.example"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "kept")); err == nil {
		t.Error("the helper was not asked to erase")
	}
	// One that is not there is named, and a path is no name.
	for _, name := range []string{"absent", "../x"} {
		f, _ := load(t, `{"credsStore":"`+name+`"}`, environ...)
		if _, err := f.Get("r.example"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("helper %q: %v", name, err)
		}
	}
}

func TestABrokenFileIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	for _, content := range []string{"{", `{"auths":3}`} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path, nil); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", content, err)
		}
	}
	if err := os.WriteFile(path, []byte(`{"auths":{"r.example":{"auth":"!"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Get("r.example"); err == nil || !strings.Contains(err.Error(), "log in again") {
		t.Errorf("unreadable credentials: %v", err)
	}
}
