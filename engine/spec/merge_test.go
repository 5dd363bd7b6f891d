package spec

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestMerge(t *testing.T) {
	img := ocispec.ImageConfig{
		User: "www", Env: []string{"PATH=/bin", "A=image", "B=image"}, Entrypoint: []string{"/entry"}, Cmd: []string{"serve"},
		WorkingDir: "/srv", Labels: map[string]string{"a": "image", "b": "image"}, StopSignal: "SIGQUIT",
		ExposedPorts: map[string]struct{}{"80/tcp": {}}, Volumes: map[string]struct{}{"/data": {}},
	}
	command := func(cfg container.Config) string {
		Merge(&cfg, img, nil)
		path, args := Command(&cfg)
		return strings.Join(append([]string{path}, args...), " ")
	}
	for want, cfg := range map[string]container.Config{
		"/entry serve":   {},
		"/entry other x": {Cmd: []string{"other", "x"}},
		"mine":           {Entrypoint: []string{"mine"}},
		"mine arg":       {Entrypoint: []string{"mine"}, Cmd: []string{"arg"}},
		"arg":            {Entrypoint: []string{""}, Cmd: []string{"arg"}},
	} {
		if got := command(cfg); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	cfg := container.Config{Env: []string{"A=mine", "B", "C=3"}, Labels: map[string]string{"a": "mine"}, WorkingDir: "/w"}
	Merge(&cfg, img, nil)
	if want := []string{"A=mine", "B", "C=3", "PATH=/bin"}; !slices.Equal(cfg.Env, want) {
		t.Errorf("environment %v, want %v", cfg.Env, want)
	}
	if cfg.Labels["a"] != "mine" || cfg.Labels["b"] != "image" || cfg.User != "www" || cfg.WorkingDir != "/w" || cfg.StopSignal != "SIGQUIT" {
		t.Errorf("%+v", cfg)
	}
	if len(cfg.ExposedPorts) != 1 || len(cfg.Volumes) != 1 {
		t.Errorf("ports %v, volumes %v", cfg.ExposedPorts, cfg.Volumes)
	}
}

func TestMergeHealthcheck(t *testing.T) {
	img := &container.HealthConfig{Test: []string{"CMD", "check"}, Interval: 5, Retries: 3}
	for _, c := range []struct {
		own  *container.HealthConfig
		img  *container.HealthConfig
		want string
	}{
		{nil, nil, "null"},
		{nil, img, `{"Test":["CMD","check"],"Interval":5,"Retries":3}`},
		{&container.HealthConfig{Interval: 9}, img, `{"Test":["CMD","check"],"Interval":9,"Retries":3}`},
		{&container.HealthConfig{Test: []string{"NONE"}}, img, `{"Test":["NONE"],"Interval":5,"Retries":3}`},
		{&container.HealthConfig{Test: []string{"NONE"}}, nil, `{"Test":["NONE"]}`},
	} {
		cfg := container.Config{Healthcheck: c.own}
		Merge(&cfg, ocispec.ImageConfig{}, c.img)
		got, err := json.Marshal(cfg.Healthcheck)
		if err != nil || string(got) != c.want {
			t.Errorf("got %s, %v, want %s", got, err, c.want)
		}
	}
}
