package container

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

func TestLoadSpecSaysWhere(t *testing.T) {
	for config, want := range map[string]string{
		"":                                "config.json:1: the file is cut off after 0 bytes",
		"{\n\"process\": {\n":             "config.json:3: the file is cut off after 15 bytes",
		"{\n\"process\": }":               "config.json:2: invalid character '}'",
		"{} x":                            "config.json:1: invalid character 'x'",
		"[]":                              "config.json:1: the file: want an object, have array",
		`{"process":{"args":"true"}}`:     "config.json:1: process.args: want an array, have string",
		"{\n\n\"hostname\": 7}":           "config.json:3: hostname: want a string, have number",
		`{"root":{"readonly":"yes"}}`:     "root.readonly: want true or false, have string",
		`{"process":[]}`:                  "process: want an object, have array",
		`{"mounts":{"destination":1}}`:    "mounts: want an array, have object",
		`{"mounts":[{"options":"ro"}]}`:   "mounts.options: want an array, have string",
		`{"process":{"user":{"uid":-1}}}`: "process.user.uid: want a whole number of at most 32 bits without sign, have number -1",
		`{"process":{"user":{"uid":4294967296}}}`:                       "have number 4294967296",
		`{"process":{"oomScoreAdj":1.5}}`:                               "process.oomScoreAdj: want a whole number of at most 64 bits, have number 1.5",
		`{"linux":{"sysctl":{"net.ipv4.ip_forward":1}}}`:                "linux.sysctl: want a string, have number",
		`{"linux":{"resources":{"memory":{"limit":"1g"}}}}`:             "linux.resources.memory.limit: want a whole number of at most 64 bits, have string",
		`{"process":{"rlimits":[{"type":"RLIMIT_CPU","soft":-1}]}}`:     "process.rlimits.soft: want a whole number of at most 64 bits without sign, have number -1",
		`{"hooks":{"prestart":{"path":"/x"}}}`:                          "hooks.prestart: want an array, have object",
		`{"linux":{"seccomp":{"syscalls":[{"args":[{"index":"a"}]}]}}}`: "linux.seccomp.syscalls.args.index: want a whole number",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadSpec(dir)
		if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "Go ") {
			t.Errorf("%s\nerror %v, want %q", config, err, want)
		}
	}
	if _, err := LoadSpec(t.TempDir()); !errdefs.IsNotFound(err) {
		t.Errorf("no config.json: %v", err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "config.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSpec(dir); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory: %v", err)
	}
}
