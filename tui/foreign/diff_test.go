package foreign

import (
	"fmt"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"berth/engine/api/berthapi"
)

func TestTwoLayersOfAnExportAreCompared(t *testing.T) {
	o := &other{export: exported(t, true)}
	b := New(o, o, func(f func()) { go f() })
	t.Cleanup(b.Close)
	diff := func(from, to string) (string, error) {
		var out []string
		for d, err := range b.Diff(t.Context(), from, to, berthapi.DiffOptions{}) {
			if err != nil {
				return "", err
			}
			if (d.Old == nil) != (d.Kind == berthapi.Added) || (d.New == nil) != (d.Kind == berthapi.Deleted) {
				t.Errorf("the sides of %+v", d)
			}
			out = append(out, fmt.Sprintf("%s%s", d.Kind, d.Path))
		}
		return strings.Join(out, " "), nil
	}
	for _, c := range [][3]string{
		{"0", "2", "M/etc/motd D/etc/old D/etc/old/a A/new D/o/x M/run"},
		{"2", "0", "M/etc/motd A/etc/old A/etc/old/a D/new A/o/x M/run"},
		{"2", "2", ""},
	} {
		got, err := diff("image:reg:5000/app:1@layer"+c[0], "image:reg:5000/app:1@layer"+c[1])
		if err != nil || got != c[2] {
			t.Errorf("%s → %s: %v\ngot  %s\nwant %s", c[0], c[1], err, got, c[2])
		}
	}
	if o.exports != 1 {
		t.Errorf("%d exports", o.exports)
	}
	if _, err := diff("image:a@layer0", "container:c1"); err == nil || !strings.Contains(err.Error(), "compares only layers") {
		t.Error(err)
	}
	if _, err := diff("image:a@layer0", "image:b@layer1"); err == nil || !strings.Contains(err.Error(), "the same one") {
		t.Error(err)
	}
	if _, err := diff("image:a@layer0", "image:a@layer1"); !errdefs.IsNotFound(err) {
		t.Errorf("a layer without files: %v", err)
	}
}
