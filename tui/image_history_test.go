package tui

import (
	"testing"

	"berth/tui/feed"
)

func TestWhatAnImageIsMadeOf(t *testing.T) {
	e := newEngine(t)
	e.mu.Lock()
	for i := range e.images {
		e.images[i].SharedSize = 1e6
	}
	e.mu.Unlock()
	r := start(t, e, 120, 36)
	r.WaitFor("Images 8")
	r.Press("3", "]")
	r.WaitFor("of its own  980k", "shared      1M", "USED BY", "HISTORY", `CMD ["nginx"]`, "41M  RUN apt-get install curl", "980k of its own · used by")
	r.Press("/")
	r.Type("dangling\n")
	r.WaitFor("Images 1/8", "no container uses it")
}

func TestStepsOfADockerfile(t *testing.T) {
	for by, want := range map[string]string{
		"/bin/sh -c #(nop)  CMD [\"sh\"]": `CMD ["sh"]`, "/bin/sh -c apt-get  update": "RUN apt-get update", "COPY . /app # buildkit": "COPY . /app",
	} {
		if got := step(by); got != want {
			t.Errorf("%q is %q", by, got)
		}
	}
	m := offline(t, 200, 50)
	press(m, "3")
	send(m, feed.Shared{Sizes: map[string]int64{m.state.Images("")[0].ID: 1e6}})
	shows(t, m, "980k own")
}
