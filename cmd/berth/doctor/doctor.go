// Package doctor examines a machine for what an engine needs of it, and names
// the one command that mends each lack.
//
// A Finding is Good, a Warning (something of berth does not work, or not as
// well) or Bad (no container can be run). Looking changes nothing: what can
// only be known by trying is tried in namespaces that end with the try. It must
// not import an engine.
package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Status says how much a finding matters.
type Status string

// The statuses; their texts are part of the JSON output.
const (
	Good    Status = "ok"
	Warning Status = "warning"
	Bad     Status = "bad"
)

// Finding is what one examination has found.
type Finding struct {
	Name   string // of what was examined: "cgroups"
	Status Status
	Text   string // what there is, or what is lacking and what does not work because of it
	Mend   string `json:",omitempty"` // a command
}

// Machine is what is examined. The zero value of a field means the real thing.
type Machine struct {
	Proc, Sys, Run string // instead of /proc, /sys and /run
	Root           string // the engine's root directory, which need not exist yet
	Socket         string // where the engine of this user listens
	Release        string // of the kernel, e.g. 6.1.0-18-amd64
	Euid           int
}

// Examine looks at all there is to look at, what matters most first.
func Examine(m Machine) []Finding {
	if m.Proc == "" {
		m.Proc = "/proc"
	}
	if m.Sys == "" {
		m.Sys = "/sys"
	}
	if m.Run == "" {
		m.Run = "/run"
	}
	var out []Finding
	for _, examine := range []func(Machine) []Finding{
		user, kernel, namespaces, cgroups, seccomp, modules, overlay, devices, firewall,
		userns, limits, disk, clock, socket, others,
	} {
		out = append(out, examine(m)...)
	}
	return out
}

// Worst is the most serious status among findings.
func Worst(findings []Finding) Status {
	worst := Good
	for _, f := range findings {
		if f.Status == Bad || f.Status == Warning && worst == Good {
			worst = f.Status
		}
	}
	return worst
}

func good(name, format string, v ...any) []Finding {
	return []Finding{{Name: name, Status: Good, Text: fmt.Sprintf(format, v...)}}
}

func warning(name, text, mend string) []Finding {
	return []Finding{{Name: name, Status: Warning, Text: text, Mend: mend}}
}

func bad(name, text, mend string) []Finding {
	return []Finding{{Name: name, Status: Bad, Text: text, Mend: mend}}
}

// exists tells whether there is such a file.
func exists(path ...string) bool {
	_, err := os.Stat(filepath.Join(path...))
	return err == nil
}

// text is a file's content without the white space around it, "" if it cannot
// be read: what is not there is not switched on.
func text(path ...string) string {
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
