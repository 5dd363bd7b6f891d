package contexts

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

// TestDockerSeesTheSame makes a context here and reads it with docker, and the
// other way round.
func TestDockerSeesTheSame(t *testing.T) {
	docker, err := exec.LookPath("docker")
	if err != nil {
		t.Skip("needs the docker command (Debian: apt-get install docker.io)")
	}
	dir := t.TempDir()
	s := Open(filepath.Join(dir, "contexts"))
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(docker, append([]string{"--config", dir, "context"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("docker context %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	if err := s.Create(Context{Name: "ours", Description: "made here", Host: "tcp://1.2.3.4:2376", TLS: map[string][]byte{CA: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	if out := run("ls"); !strings.Contains(out, "ours") || !strings.Contains(out, "made here") || !strings.Contains(out, "tcp://1.2.3.4:2376") {
		t.Errorf("docker lists\n%s", out)
	}
	if out := run("inspect", "ours"); !strings.Contains(out, `"ca.pem"`) {
		t.Errorf("docker inspects\n%s", out)
	}
	run("create", "theirs", "--description", "made there", "--docker", "host=tcp://5.6.7.8:2375,skip-tls-verify=true")
	c, err := s.Get("theirs")
	if err != nil || c.Host != "tcp://5.6.7.8:2375" || c.Description != "made there" || !c.SkipVerify || c.TLSDir != "" {
		t.Errorf("docker's context: %+v, %v", c, err)
	}
	if list, err := s.List(); err != nil || len(list) != 2 || list[0].Name != "ours" {
		t.Errorf("the list: %+v, %v", list, err)
	}
	// Each reads what the other exports.
	file := filepath.Join(dir, "f")
	run("export", "theirs", file)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := s.Import("brought", f); err != nil {
		t.Error(err)
	}
	if c, err := s.Get("brought"); err != nil || c.Host != "tcp://5.6.7.8:2375" || c.Description != "made there" || !c.SkipVerify {
		t.Errorf("what docker exported: %+v, %v", c, err)
	}
	var out bytes.Buffer
	if err := errors.Join(s.Export("ours", &out), os.WriteFile(file, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	run("import", "taken", file)
	if c, err := s.Get("taken"); err != nil || c.Host != "tcp://1.2.3.4:2376" || c.TLSDir == "" {
		t.Errorf("what docker imported: %+v, %v", c, err)
	}
	for _, name := range []string{"theirs", "brought", "taken"} {
		if err := s.Remove(name); err != nil {
			t.Error(err)
		}
	}
	if out := run("ls", "-q"); strings.Contains(out, "theirs") {
		t.Errorf("docker still lists\n%s", out)
	}
}

// TestUpdateKeepsWhatItDoesNotKnow pins that other programs' endpoints and
// metadata survive, and a context's certificates.
func TestUpdateKeepsWhatItDoesNotKnow(t *testing.T) {
	s := Open(t.TempDir())
	if err := s.Create(Context{Name: "c1", Host: "tcp://a:1", TLS: map[string][]byte{Key: []byte("k")}}); err != nil {
		t.Fatal(err)
	}
	meta := filepath.Join(s.MetaPath("c1"), "meta.json")
	if err := os.WriteFile(meta, []byte(`{"Name":"c1","Metadata":{"Mine":"yes"},"Endpoints":{"docker":{"Host":"tcp://a:1"},"other":{"Host":"h"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(Context{Name: "c1", Host: "tcp://b:1"}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(meta)
	for _, want := range []string{`"Mine":"yes"`, `"other":{"Host":"h"}`, `"Host":"tcp://b:1"`} {
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("%s lacks %s: %v", data, want, err)
		}
	}
	c, err := s.Get("c1")
	if err != nil || c.TLSDir == "" {
		t.Errorf("the certificates: %+v, %v", c, err)
	}
	if fi, err := os.Stat(filepath.Join(c.TLSDir, Key)); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the key is not its owner's alone: %v, %v", fi, err)
	}
}

func TestContextsThatAreRefused(t *testing.T) {
	s := Open(t.TempDir())
	for _, name := range []string{"", "a", "default", "../up", "sp ace", "-x", ".hidden"} {
		if err := s.Create(Context{Name: name}); !errdefs.IsInvalidArgument(err) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if err := s.Update(Context{Name: "none"}); !errdefs.IsNotFound(err) {
		t.Errorf("update of nothing: %v", err)
	}
	if err := s.Remove("none"); !errdefs.IsNotFound(err) {
		t.Errorf("removal of nothing: %v", err)
	}
	if list, err := s.List(); err != nil || len(list) != 0 {
		t.Errorf("an empty store: %v, %v", list, err)
	}
	if err := os.MkdirAll(s.MetaPath("bad"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.MetaPath("bad"), "meta.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get("bad"); err == nil || !strings.Contains(err.Error(), "meta.json") {
		t.Errorf("a broken context: %v", err)
	}
}

func TestImportRefusesWhatIsNoContext(t *testing.T) {
	const meta = `{"Name":"x","Endpoints":{"docker":{"Host":"tcp://a:1"}}}`
	for what, files := range map[string][]tar.Header{
		"no part of a context": {{Name: "meta.json", Typeflag: tar.TypeReg, Size: int64(len(meta))}, {Name: "../../x", Typeflag: tar.TypeReg}},
		"no file of at most":   {{Name: "meta.json", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}},
		"says no engine":       {{Name: "tls/", Typeflag: tar.TypeDir}},
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range files {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			if h.Size > 0 {
				if _, err := w.Write([]byte(meta)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		s := Open(t.TempDir())
		if err := s.Import("c1", &b); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
		if list, err := s.List(); err != nil || len(list) > 0 {
			t.Errorf("%s: it left %v, %v", what, list, err)
		}
	}
}
