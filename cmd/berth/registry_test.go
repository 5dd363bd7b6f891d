package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// htpasswd lets ann in with the password secret.
const htpasswd = "ann:$2b$05$9th7RLWqO.Yej70iKKLdH.bk/SvUqt8u/otIvN0HjC5aDuvFnXT9K\n"

// startRegistry runs Debian's docker-registry until the script ends and sets a
// variable to its address: registry VARIABLE [password]
func startRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: registry VARIABLE [password]")
	}
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		ts.Fatalf("docker-registry is not installed (Debian: apt-get install docker-registry)")
	}
	dir := ts.MkAbs("registry-" + args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	addr := l.Addr().String()
	ts.Check(l.Close())
	config := fmt.Sprintf("version: 0.1\nstorage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}\nlog: {level: error, accesslog: {disabled: true}}\nhttp: {addr: %q}\n", dir, addr)
	if len(args) == 2 {
		ts.Check(os.WriteFile(filepath.Join(dir, "htpasswd"), []byte(htpasswd), 0o600))
		config += fmt.Sprintf("auth: {htpasswd: {realm: test, path: %s}}\n", filepath.Join(dir, "htpasswd"))
	}
	path := filepath.Join(dir, "config.yml")
	ts.Check(os.WriteFile(path, []byte(config), 0o600))
	cmd := exec.Command(program, "serve", path)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			ts.Fatalf("docker-registry does not listen on %s", addr)
		}
	}
	ts.Setenv(args[0], addr)
}
