package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestListWithABrokenState has a container whose state was cut off, which must not
// keep the others from being seen, nor be forgotten.
func TestListWithABrokenState(t *testing.T) {
	b := newBundle(t)
	b.args("sleep", "1000")
	b.ok("create", b.id)
	broken := filepath.Join(b.root, "broken")
	if err := os.Mkdir(broken, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(broken, "state.json"), []byte(`{"id":"bro`), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, status := b.do("list", "-q")
	if status != 0 || out != b.id+"\n" || !strings.Contains(errs, "load container broken: ") {
		t.Errorf("list: status %d, %q, error output %q", status, out, errs)
	}
	b.ok("delete", b.id)
}
