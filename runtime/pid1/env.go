package pid1

import (
	"slices"
	"strings"
)

// The Go runtime interrupts its own threads with SIGURG, and whoever is told of all signals
// is told of those. A child would get signals that nobody sent, so an init runs without.
const (
	setting = "GODEBUG="
	quiet   = "asyncpreemptoff=1"
)

// Env is the environment to start an init with whose command is to have env.
func Env(env []string) []string {
	out := slices.Clone(env)
	for i, kv := range out {
		if strings.HasPrefix(kv, setting) { // the last of several settings holds
			out[i] = kv + "," + quiet
			return out
		}
	}
	return append(out, setting+quiet)
}

// commandEnv is what Env was given.
func commandEnv(env []string) []string {
	out := make([]string, 0, len(env))
	for _, kv := range env {
		if kv == setting+quiet {
			continue
		}
		if strings.HasPrefix(kv, setting) {
			kv = strings.TrimSuffix(kv, ","+quiet)
		}
		out = append(out, kv)
	}
	return out
}
