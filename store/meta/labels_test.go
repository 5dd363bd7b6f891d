package meta

import (
	"maps"
	"testing"

	"github.com/containerd/errdefs"
)

func TestUpdateLabels(t *testing.T) {
	old := map[string]string{"a": "1", "b.c": "2"}
	for _, tc := range []struct {
		next  map[string]string
		paths []string
		want  map[string]string
	}{
		{map[string]string{"x": "9"}, nil, map[string]string{"x": "9"}},
		{map[string]string{"x": "9"}, []string{"labels"}, map[string]string{"x": "9"}},
		{map[string]string{"a": "3", "x": "9"}, []string{"labels.a"}, map[string]string{"a": "3", "b.c": "2"}},
		{nil, []string{"labels.b.c"}, map[string]string{"a": "1"}},
		{nil, nil, map[string]string{}},
	} {
		got, err := UpdateLabels(old, tc.next, tc.paths)
		if err != nil || !maps.Equal(got, tc.want) {
			t.Errorf("%v by %v: %v, %v; want %v", tc.next, tc.paths, got, err, tc.want)
		}
	}
	if _, err := UpdateLabels(old, nil, []string{"size"}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("another field: %v, want kind InvalidArgument", err)
	}
	if !maps.Equal(old, map[string]string{"a": "1", "b.c": "2"}) {
		t.Error("the argument was changed")
	}
}
