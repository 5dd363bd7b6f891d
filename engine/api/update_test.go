package api

import (
	"reflect"
	"testing"

	"github.com/moby/moby/api/types/container"
)

func TestUpdate(t *testing.T) {
	f := serve(t)
	limit := func(n int64) *int64 { return &n }
	for path, c := range map[string]struct {
		body string
		want container.UpdateConfig
	}{
		"/containers/web/update": {`{"Memory": 7, "PidsLimit": -5, "RestartPolicy": {"Name": "always"}}`,
			container.UpdateConfig{Resources: container.Resources{Memory: 7, PidsLimit: limit(0)}, RestartPolicy: container.RestartPolicy{Name: "always"}}},
		"/v1.41/containers/web/update": {`{"PidsLimit": 0}`, container.UpdateConfig{Resources: container.Resources{PidsLimit: limit(0)}}},
		"/v1.39/containers/web/update": {`{"PidsLimit": 16}`, container.UpdateConfig{}},
	} {
		f.containers.asked = nil
		f.expect("POST", path, c.body, 200, `{"Warnings":[]}`)
		if len(f.containers.asked) != 1 || !reflect.DeepEqual(f.containers.asked[0], c.want) {
			t.Errorf("%s asked for %+v", path, f.containers.asked)
		}
	}
	if status, _ := f.do("POST", "/containers/web/update", `{"Memory": "lots"}`); status != 400 {
		t.Errorf("a limit that is no number: %d", status)
	}
	f.expect("POST", "/containers/nope/update", `{}`, 404, "message: No such container: nope")
}
