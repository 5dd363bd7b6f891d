package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// settleUntil waits until a condition holds.
func settleUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// An engine works by its file, and by what the file says later once SIGHUP came.
func TestSettingsAndTheirReload(t *testing.T) {
	r := newRig(t)
	path := filepath.Join(r.dir, "config.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("BERTH_CONFIG", path)
	sock := "unix://" + filepath.Join(r.dir, "more.sock")
	write("hosts = ['" + sock + "']\nlabels = ['a=1']\n[logs]\ndriver = 'local'\n")
	if _, code, msg := r.try("serve", "--add-runtime", "z=/bin/z", "--default-runtime", "zz", "--validate"); code == 0 || !strings.Contains(msg, "specified default runtime 'zz' does not exist") {
		t.Errorf("exit code %d: %s", code, msg)
	}
	if out := r.berth("serve", "--validate"); out != "configuration OK" {
		t.Errorf("got %q", out)
	}
	cmd := r.command("serve", "--add-runtime", "x=/bin/x")
	log, err := os.Create(filepath.Join(r.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	logged := func(text string) bool {
		b, err := os.ReadFile(log.Name())
		return err == nil && strings.Contains(string(b), text)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	info := func(format string) string {
		out, _, _ := r.try("-H", sock, "info", "--format", format)
		return out
	}
	settleUntil(t, "the engine listens where its file says", func() bool { return info("{{.LoggingDriver}} {{.Labels}}") == "local [a=1]" })
	write("hosts = []\nlabels = ['a=2']\n[registry]\nmirrors = ['https://m.example']\n[runtimes.y]\npath = '/bin/y'\nargs = ['-v']\n")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	settleUntil(t, "the new settings count", func() bool {
		return info("{{.LoggingDriver}} {{.Labels}} {{.RegistryConfig.Mirrors}} {{len .Runtimes}} {{.Runtimes.x.Path}} {{.Runtimes.y.Args}} {{.DefaultRuntime}}") ==
			"json-file [a=2] [https://m.example/] 3 /bin/x [-v] berth"
	})
	write("labels = 3\n")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	settleUntil(t, "wrong settings are refused", func() bool { return logged("they stay as they were") })
	if _, code, msg := r.try("serve", "--validate"); code == 0 || !strings.Contains(msg, path+" line 1") {
		t.Errorf("exit code %d: %s", code, msg)
	}
	if got := info("{{.Labels}}"); got != "[a=2]" {
		t.Errorf("wrong settings count: %s", got)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if !logged("count from the next start of the engine on") || !logged("settings=[hosts]") {
		t.Error("the log does not say that the hosts stay")
	}
	if out := r.berth("serve", "--example"); !strings.Contains(out, "max-concurrent-downloads = 3") {
		t.Errorf("the example: %s", out)
	}
}

// Verbs find an engine whose root and state the file has moved.
func TestVerbsGoWhereTheSettingsSay(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(path, []byte("root = '/x/root'\nstate = '/x/state'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &app{environ: []string{"BERTH_CONFIG=" + path, "DOCKER_CONFIG=" + dir}}
	if err := a.fill(); err != nil || a.conf.Root != "/x/root" || a.conf.State != "/x/state" {
		t.Errorf("%+v, %v", a.conf, err)
	}
	a = &app{environ: a.environ}
	a.conf.Root = "/y"
	if err := a.fill(); err != nil || a.conf.Root != "/y" {
		t.Errorf("what was said counts more: %+v, %v", a.conf, err)
	}
}
