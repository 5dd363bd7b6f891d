//go:build !client

package main

import "github.com/spf13/cobra"

// engineImageVerbs are those among the verbs of "image".
var engineImageVerbs = []func(*app) *cobra.Command{newBuild}

// engineVerbs need the engine or its libraries in this process, as the console does. What they are made of has the
// build tag !client, see package clientside.
var engineVerbs = []verb{
	{"config", groupEngine, newConfig},
	{"build", groupImages, newBuild},
	{"builder", groupImages, newBuilder},
	{"manifest", groupImages, newManifest},
	{"ctr", groupEngine, newCtr},
	{"doctor", groupEngine, newDoctor},
	{"serve", groupEngine, newServe},
	{"runtime", groupEngine, newRuntime},
}

// systemEngineVerbs are those of system that need the engine in this process.
var systemEngineVerbs = []func(*app) *cobra.Command{newSystemReset}
