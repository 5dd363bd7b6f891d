package api_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// project is four services that wait for each other: the store is healthy once it says so, what needs it starts then.
const project = `version: "2.4"
services:
  store:
    image: busybox
    command: sh -c 'echo filled > /data/state; touch /tmp/ready; exec sleep 1000'
    volumes: ["data:/data"]
    networks: {back: {aliases: [db]}}
    healthcheck: {test: ["CMD", "cat", "/tmp/ready"], interval: 1s, retries: 30}
  api:
    image: busybox
    command: sh -c 'echo api reads $$(cat /data/state); exec sleep 1000'
    volumes: ["data:/data:ro"]
    networks: [back, front]
    depends_on: {store: {condition: service_healthy}}
    healthcheck: {test: ["CMD", "true"], interval: 1s}
  web:
    image: busybox
    command: sh -c 'nslookup api >/dev/null && echo web knows api; exec sleep 1000'
    networks: [front]
    environment: {WHO: web}
    ports: ["127.0.0.1::80"]
    depends_on: {api: {condition: service_healthy}}
  worker:
    image: busybox
    command: sh -c 'echo worker; exec sleep 1000'
    networks: [back]
    depends_on: [store]
    restart: on-failure
volumes: {data: {}}
networks: {back: {internal: true}, front: {}}
`

// TestCompose brings a project up with docker-compose, scales it, looks into it, and takes it down.
func TestCompose(t *testing.T) {
	r := newRig(t)
	if _, err := exec.LookPath("docker-compose"); err != nil {
		t.Skip("needs docker-compose (Debian: apt-get install docker-compose)")
	}
	file := filepath.Join(r.dir, "shop", "docker-compose.yml")
	if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(project), 0o644); err != nil {
		t.Fatal(err)
	}
	compose := func(want string, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "docker-compose", append([]string{"-H", "unix://" + r.socket, "-f", file, "--no-ansi"}, args...)...)
		cmd.Env = append(os.Environ(), "HOME="+r.dir, "DOCKER_CONFIG="+r.dir)
		cmd.Stdin = strings.NewReader("")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if (err != nil) != strings.HasPrefix(want, "[") || !strings.Contains(out.String(), strings.TrimPrefix(want, "[")) {
			t.Errorf("docker-compose %s: %v, want %q in\n%s", strings.Join(args, " "), err, want, out.String())
		}
		return out.String()
	}
	compose("shop_web_1", "up", "-d")
	for service, line := range map[string]string{"api": "api reads filled", "web": "web knows api", "worker": "worker"} {
		r.eventually(service+" says "+line, func() bool { return strings.Contains(compose("", "logs", service), line) })
	}
	compose("web\n", "exec", "-T", "web", "sh", "-c", "echo $WHO")
	compose("[", "exec", "-T", "web", "sh", "-c", "exit 3")
	compose("127.0.0.1:", "port", "web", "80")
	compose("filled", "exec", "-T", "store", "cat", "/data/state")
	compose("is up-to-date", "up", "-d")
	compose("", "up", "-d", "--scale", "worker=3")
	if n := strings.Count(compose("shop_worker_3", "ps"), " Up "); n != 6 {
		t.Errorf("%d containers are up", n)
	}
	compose("", "up", "-d", "--scale", "worker=1")
	compose("sleep 1000", "top", "store")
	compose("done", "restart", "-t", "1", "web")
	compose("done", "pause", "worker")
	compose("Paused", "ps", "worker")
	compose("done", "unpause", "worker")
	compose("done", "stop", "-t", "1", "api")
	compose("done", "start", "api")
	compose("once", "run", "--rm", "--no-deps", "worker", "echo", "once")
	compose("[nosuch", "logs", "nosuch")
	compose("Removing volume shop_data", "down", "-v", "-t", "1")
	if out, code := r.docker("", "ps", "-aq"); out != "" || code != 0 {
		t.Errorf("containers are left: %s", out)
	}
	if out, _ := r.docker("", "network", "ls", "-q", "--filter", "type=custom"); out != "" {
		t.Errorf("networks are left: %s", out)
	}
	if out, _ := r.docker("", "volume", "ls", "-q"); out != "" {
		t.Errorf("volumes are left: %s", out)
	}
}
