package pid1

import (
	"slices"
	"testing"
)

func TestTheCommandGetsItsOwnEnvironment(t *testing.T) {
	for _, env := range [][]string{
		{},
		{"PATH=/bin", "HOME=/"},
		{"GODEBUG=gctrace=1", "PATH=/bin"},
		{"GODEBUG="},
		{"GODEBUG=asyncpreemptoff=0"},
		{"GODEBUGGER=asyncpreemptoff=1"},
	} {
		given := slices.Clone(env)
		in := Env(env)
		if !slices.ContainsFunc(in, func(kv string) bool {
			return kv == "GODEBUG="+quiet || len(kv) > len(quiet) && kv[:8] == "GODEBUG=" && kv[len(kv)-len(quiet):] == quiet
		}) {
			t.Errorf("%q: an init with %q is interrupted by its own SIGURG", env, in)
		}
		if got := commandEnv(in); !slices.Equal(got, env) {
			t.Errorf("the command of %q gets %q", env, got)
		}
		if !slices.Equal(env, given) {
			t.Errorf("%q was changed to %q", given, env)
		}
	}
}
