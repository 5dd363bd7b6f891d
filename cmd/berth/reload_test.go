//go:build !client

package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"berth/cmd/berth/config"
	"berth/cmd/berth/connect"
)

// Settings that are wrong leave the certificates as they were, and certificates that are
// wrong leave the settings.
func TestAReloadIsWholeOrNot(t *testing.T) {
	dir := t.TempDir()
	newAuthority(t).issue(dir)
	pair := connect.TLS{Verify: true, CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	d := &daemon{daemonConfig: daemonConfig{Config: connect.Config{TLS: pair}, log: slog.New(slog.DiscardHandler)}, engine: &engineHandle{}}
	if err := d.secureTCP(); err != nil {
		t.Fatal(err)
	}
	before := d.secured.Load()
	var level slog.LevelVar
	bad := config.File{LogLevel: "debug", Labels: []string{"no value"}}
	if err := d.apply(bad, &level); err == nil {
		t.Error("wrong settings were taken")
	}
	if d.secured.Load() != before || level.Level() != slog.LevelInfo {
		t.Error("wrong settings changed something")
	}
	if err := os.WriteFile(pair.Cert, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	// There is no engine behind this: reloading it would panic.
	if err := d.apply(config.File{LogLevel: "debug"}, &level); err == nil {
		t.Error("a wrong certificate was taken")
	}
	if d.secured.Load() != before || level.Level() != slog.LevelInfo {
		t.Error("a wrong certificate changed something")
	}
}
