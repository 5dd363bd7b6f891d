// Package clientside is what the verbs that only talk to an engine import, and nothing
// of the engine, the console and their libraries.
//
// Package ahead leaves out the initialisation of what lies behind this package in the
// binary, when such a verb is called: half of what goes before main, and of BuildKit's
// and the console's libraries there is more than of all others. Package main imports
// this one right behind early, so the linker puts what is imported here before all else.
//
// What a verb is made of decides the compiler: with the build tag client package main is
// made of the files that such verbs need, and is a client without an engine. A test
// holds that this imports whatever that build does.
package clientside

import (
	_ "iter"
	_ "maps"
	_ "text/tabwriter"

	_ "github.com/containerd/platforms"
	_ "github.com/moby/go-archive"
	_ "github.com/moby/moby/api/pkg/authconfig"
	_ "github.com/moby/moby/api/pkg/stdcopy"
	_ "github.com/moby/moby/client/pkg/jsonmessage"
	_ "github.com/spf13/cobra"

	_ "berth/cmd/berth/connect"
	_ "berth/cmd/berth/contexts"
	_ "berth/cmd/berth/output"
	_ "berth/cmd/berth/progress"
	_ "berth/cmd/berth/runflags"
	_ "berth/cmd/berth/session"
	_ "berth/cmd/berth/starter"
	_ "berth/engine/api/berthapi"
	_ "berth/engine/release"
)

// End lies behind all that this package imports and before the rest of the binary. It
// is there for its address.
func End() {}
