package main

import (
	"archive/tar"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScript runs what users type. Each script in testdata/script has an engine
// of its own, which its first verb starts; scripts whose name begins with
// "usage" need none and no root.
//
// With BERTH_TEST_HOST=unix://… the scripts drive that engine instead: run
// against dockerd they show that berth's verbs expect nothing that is only
// berth's.
func TestScript(t *testing.T) {
	host := os.Getenv("BERTH_TEST_HOST")
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			for _, v := range []string{"DOCKER_HOST", "BERTH_HOST", "BERTH_ROOT", "BERTH_STATE"} {
				env.Setenv(v, "")
			}
			// Nobody's settings and credentials but the script's.
			env.Setenv("BERTH_CONFIG", filepath.Join(env.WorkDir, "config.toml"))
			env.Setenv("DOCKER_CONFIG", filepath.Join(env.WorkDir, "docker"))
			script := env.T().(testing.TB)
			if strings.Contains(script.Name(), "/usage") {
				return nil
			}
			needRoot(script)
			needBusybox(script)
			if host != "" {
				env.Setenv("BERTH_HOST", host)
				return nil
			}
			r := newRig(script)
			env.Setenv("BERTH_ROOT", r.conf.Root)
			env.Setenv("BERTH_STATE", r.conf.State)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			// [berth]: the engine is berth's own. [root]: the script runs as root.
			return cond == "berth" && host == "" || cond == "root" && os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"until":    until,
			"exitcode": exitcode,
			"mktar":    mktar,
			"registry": startRegistry,
		},
		ContinueOnError:     false,
		RequireExplicitExec: true,
	})
}

// until runs a command again and again until it succeeds and prints the text:
// until TEXT berth VERB…
func until(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: until TEXT COMMAND ARG...")
	}
	end := time.Now().Add(20 * time.Second)
	for {
		err := ts.Exec(args[1], args[2:]...)
		has := strings.Contains(ts.ReadFile("stdout"), args[0]) || strings.Contains(ts.ReadFile("stderr"), args[0])
		if err == nil && has != neg {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("waited 20 s in vain for %q from %s\n%s%s", args[0], strings.Join(args[1:], " "), ts.ReadFile("stdout"), ts.ReadFile("stderr"))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// exitcode runs a command that must end with this code: exitcode 127 berth …
func exitcode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode CODE COMMAND ARG...")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s ended with %s, want %s\n%s", strings.Join(args[1:], " "), got, args[0], ts.ReadFile("stderr"))
	}
}

// hostile are members of a layer that try to leave it.
var hostile = map[string][]tar.Header{
	"dotdot":   {{Name: "../../../../../../../../tmp/berth-escaped", Typeflag: tar.TypeReg}},
	"absolute": {{Name: "/tmp/berth-escaped", Typeflag: tar.TypeReg}},
	"symlink":  {{Name: "out", Typeflag: tar.TypeSymlink, Linkname: "/tmp"}, {Name: "out/berth-escaped", Typeflag: tar.TypeReg}},
	"dotlink":  {{Name: "out", Typeflag: tar.TypeSymlink, Linkname: "../../../../../../../../../tmp"}, {Name: "out/berth-escaped", Typeflag: tar.TypeReg}},
	"hardlink": {{Name: "shadow", Typeflag: tar.TypeLink, Linkname: "../../../../../../../../etc/shadow"}},
}

// mktar writes an archive that docker load takes, whose only layer is hostile:
// mktar FILE KIND
func mktar(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || hostile[args[1]] == nil {
		ts.Fatalf("usage: mktar FILE KIND")
	}
	var layer strings.Builder
	w := tar.NewWriter(&layer)
	for _, h := range hostile[args[1]] {
		h.Mode = 0o644
		ts.Check(w.WriteHeader(&h))
	}
	ts.Check(w.Close())
	config, err := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + sum(layer.String())}},
	})
	ts.Check(err)
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{"hostile:" + args[1]}, "Layers": []string{"layer.tar"}}})
	ts.Check(err)
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	out := tar.NewWriter(f)
	for _, m := range []struct{ name, body string }{{"layer.tar", layer.String()}, {"config.json", string(config)}, {"manifest.json", string(manifest)}} {
		ts.Check(out.WriteHeader(&tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.body))}))
		_, err := out.Write([]byte(m.body))
		ts.Check(err)
	}
	ts.Check(out.Close())
}
