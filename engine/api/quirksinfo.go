package api

import (
	"encoding/json"

	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/api/types/system"
)

// info150 is what GET /info told of the bridge module of iptables until 1.50, at last always false.
type info150 struct {
	BridgeNfIptables  bool
	BridgeNfIP6tables bool `json:"BridgeNfIp6tables"`
}

// commit150 is a commit until 1.50: clients warned of one that was not the expected one.
type commit150 struct{ ID, Expected string }

// registries150 are the registries of GET /info until 1.50: with those that layers of others might be pushed to.
type registries150 struct {
	*registry.ServiceConfig
	AllowNondistributableArtifactsCIDRs     []string
	AllowNondistributableArtifactsHostnames []string
}

// info142 is what GET /info told of limits of the kernel's own memory until 1.42: there is none.
type info142 struct {
	KernelMemory, KernelMemoryTCP bool
}

// info125 is what GET /info told of until 1.25.
type info125 struct{ ExecutionDriver string }

// infoOf is the answer to GET /info.
func infoOf(info system.Info, v version) (any, error) {
	if !v.before(50) {
		return info, nil
	}
	twice := func(id string) commit150 { return commit150{id, id} }
	old := []any{info150{}}
	if v.before(42) {
		old = append(old, info142{})
	}
	if v.before(25) {
		old = append(old, info125{"<not supported>"})
	}
	// The outer fields hide the inner ones of the same names.
	var answer any = struct {
		system.Info
		ContainerdCommit, RuncCommit, InitCommit commit150
		RegistryConfig                           registries150
	}{
		info, twice(info.ContainerdCommit.ID), twice(info.RuncCommit.ID), twice(info.InitCommit.ID),
		registries150{info.RegistryConfig, []string{}, []string{}},
	}
	for _, more := range old {
		text, err := extend(answer, more)
		if err != nil {
			return nil, err
		}
		answer = json.RawMessage(text)
	}
	return answer, nil
}
