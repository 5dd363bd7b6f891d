package ahead_test

import (
	"testing"

	_ "berth/cmd/berth/early" // package ahead refers to it
	"berth/cmd/berth/early/ahead"
	"berth/runtime/pid1"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		args []string
		want ahead.Role
	}{
		{nil, ahead.Main},
		{[]string{"berth"}, ahead.Main},
		{[]string{"berth", "run", "runtime"}, ahead.Client},
		{[]string{"berth", "--root", "/r", "-H", "unix:///s", "ps", "-a"}, ahead.Client},
		{[]string{"berth", "--root", "ps"}, ahead.Main}, // a root without a verb
		{[]string{"berth", "--root=/r", "ps"}, ahead.Main},
		{[]string{"berth", "serve"}, ahead.Main},
		{[]string{"berth"}, ahead.Main},
		{[]string{"berth", "--root", "/r"}, ahead.Main},
		{[]string{"/usr/bin/berth", "runtime"}, ahead.RuntimeCommand},
		{[]string{"/usr/bin/berth-runtime", "list"}, ahead.Runtime},
		{[]string{"berth-runtime"}, ahead.Runtime},
		{[]string{"/berth-runtime/berth"}, ahead.Main},
		{[]string{"berth-shim"}, ahead.Shim},
		{[]string{"/bin/berth-shim", "x"}, ahead.Main},
		{[]string{pid1.Path, "--", "runtime"}, ahead.Init},
		{[]string{"docker-init", "--"}, ahead.Main},
	} {
		if got := ahead.Of(c.args); got != c.want {
			t.Errorf("Of(%q) is %d, want %d", c.args, got, c.want)
		}
	}
}
