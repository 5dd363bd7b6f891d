package api

import (
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/api/types/system"
)

func TestInfoOfOldVersions(t *testing.T) {
	info := system.Info{RuncCommit: system.Commit{ID: "r"}, RegistryConfig: &registry.ServiceConfig{Mirrors: []string{"m"}}, KernelVersion: "6"}
	for _, c := range []struct {
		v   version
		has []string
		not []string
	}{
		{version{1, 24}, []string{`"ExecutionDriver":"<not supported>"`, `"KernelMemory":false`, `"BridgeNfIptables":false`}, nil},
		{version{1, 41}, []string{`"RuncCommit":{"ID":"r","Expected":"r"}`, `"KernelMemoryTCP":false`, `"AllowNondistributableArtifactsCIDRs":[]`, `"Mirrors":["m"]`}, []string{"ExecutionDriver"}},
		{version{1, 49}, []string{`"RuncCommit":{"ID":"r","Expected":"r"}`, `"BridgeNfIp6tables":false`}, []string{`"KernelMemory"`}},
		{version{1, 50}, []string{`"RuncCommit":{"ID":"r"}`, `"Mirrors":["m"]`}, []string{"BridgeNf", "AllowNondist", "Expected"}},
	} {
		answer, err := infoOf(info, c.v)
		if err != nil {
			t.Fatal(err)
		}
		text, err := marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range append(c.has, `"KernelVersion":"6"`) {
			if strings.Count(string(text), want) != 1 {
				t.Errorf("%v: %s is not in %s", c.v, want, text)
			}
		}
		for _, word := range c.not {
			if strings.Contains(string(text), word) {
				t.Errorf("%v: %s is in %s", c.v, word, text)
			}
		}
	}
}

// The names that a container answers to were its aliases until 1.45, and its own answer does not change with another's.
func TestAliasesOfOldVersions(t *testing.T) {
	c := container.InspectResponse{ID: "0123456789abcdef", Config: &container.Config{Hostname: "h"}, NetworkSettings: &container.NetworkSettings{Networks: map[string]*network.EndpointSettings{
		"net": {Aliases: []string{"db", "h"}}, "bridge": {},
	}}}
	for _, step := range []struct {
		minor   int
		started string
		want    string
	}{
		{44, "2026-01-02T03:04:05.6Z", `"Aliases":["db","h","0123456789ab"]`},
		{45, "2026-01-02T03:04:05.6Z", `"Aliases":["db","h"]`},
		// In no network yet: compose 1 connects such a container anew.
		{44, "0001-01-01T00:00:00Z", `"Aliases":["db","h"]`},
	} {
		c.State = &container.State{StartedAt: step.started}
		answer, err := inspected(c, nil, version{1, step.minor})
		if err != nil {
			t.Fatal(err)
		}
		text, err := marshal(answer)
		if err != nil || strings.Count(string(text), step.want) != 1 || strings.Count(string(text), `"Aliases":null`) != 1 {
			t.Errorf("1.%d: %s, %v, want %s", step.minor, text, err, step.want)
		}
	}
}
