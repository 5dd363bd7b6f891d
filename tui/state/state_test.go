package state

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
)

func summary(id, name string, st container.ContainerState) container.Summary {
	return container.Summary{ID: id, Names: []string{"/" + name}, State: st, ImageID: "sha256:abc", Created: int64(len(name))}
}

func event(action events.Action, id string) events.Message {
	return events.Message{Type: events.ContainerEventType, Action: action, Actor: events.Actor{ID: id}}
}

func TestASummaryIsCleaned(t *testing.T) {
	s := summary("0123456789abcdef", "we\x1b[31mb", container.StateExited)
	s.Names = append([]string{"/other/alias"}, s.Names...)
	s.Status = "Exited (137) 2 minutes ago"
	s.Labels = map[string]string{ComposeProject: "sh\x1b]0;x\aop"}
	four, six := netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("::")
	s.Ports = []container.PortSummary{{IP: four, PrivatePort: 80, PublicPort: 8080, Type: "tcp"}, {IP: six, PrivatePort: 80, PublicPort: 8080, Type: "tcp"},
		{IP: four, PrivatePort: 53, PublicPort: 53, Type: "udp"}, {PrivatePort: 443, Type: "tcp"}}
	c := FromSummary(s)
	if c.Name != "web" || c.Exit != 137 || c.Project != "shop" || c.Ports != "53→53/udp 8080→80" || c.Running() {
		t.Errorf("%+v", c)
	}
	for status, want := range map[string]container.HealthStatus{"Up 2 hours (healthy)": container.Healthy, "Up 1 s (health: starting)": container.Starting, "Up (unhealthy)": container.Unhealthy, "Up": ""} {
		s.Status = status
		if got := FromSummary(s).Health; got != want {
			t.Errorf("%s: %q", status, got)
		}
	}
	if !strings.Contains(c.Match(), "0123456789ab") {
		t.Errorf("match text %q", c.Match())
	}
}

func TestAnEventFetchesOneRowOnce(t *testing.T) {
	s := New()
	s.SetContainers([]container.Summary{summary("a", "web", container.StateRunning), summary("b", "db", container.StateRunning)})
	if f, id := s.Event(event(events.ActionDie, "a")); f != Row || id != "a" {
		t.Fatalf("die: %v %q", f, id)
	}
	if f, _ := s.Event(event(events.ActionStart, "a")); f != Nothing {
		t.Errorf("a second fetch while the first is under way: %v", f)
	}
	old := summary("a", "web", container.StateExited)
	if again, _ := s.PutRow("a", &old); !again {
		t.Error("the row changed during the fetch, and is not fetched again")
	}
	now := summary("a", "web", container.StateRunning)
	if again, _ := s.PutRow("a", &now); again {
		t.Error("fetched again without a reason")
	}
	if c, _ := s.Container("a"); !c.Running() {
		t.Errorf("%+v", c)
	}
	for _, quiet := range []events.Action{events.ActionAttach, "exec_create: sh", "exec_start: sh", events.ActionResize} {
		if f, _ := s.Event(event(quiet, "a")); f != Nothing {
			t.Errorf("%s fetches", quiet)
		}
	}
	if f, _ := s.Event(event("health_status: healthy", "b")); f != Row {
		t.Error("health does not fetch")
	}
	s.Event(event(events.ActionDestroy, "b"))
	if run, all := s.Counts(); run != 1 || all != 1 {
		t.Errorf("%d of %d run", run, all)
	}
	s.PutRow("a", nil)
	if _, all := s.Counts(); all != 0 {
		t.Error("a container that is gone is still there")
	}
}

// A container was killed and removed at once: the row asked for at its death came
// after the news of its removal, and stayed for ever as "removing".
func TestAnAnswerOlderThanTheRemovalDoesNotBringTheRowBack(t *testing.T) {
	s := New()
	s.SetContainers([]container.Summary{summary("a", "web", container.StateRunning)})
	s.Event(event(events.ActionDie, "a"))
	s.Event(event(events.ActionDestroy, "a"))
	late := summary("a", "web", container.StateRemoving)
	if again, _ := s.PutRow("a", &late); !again {
		t.Fatal("a row that may be older than its removal is not fetched again")
	}
	if again, _ := s.PutRow("a", nil); again {
		t.Error("fetched again without a reason")
	}
	if _, all := s.Counts(); all != 0 {
		t.Error("a container that is gone is still there")
	}
}

// docker 20.10 emits "pause" before its list says so.
func TestARowThatDoesNotKeepItsPromiseIsFetchedAgain(t *testing.T) {
	s := New()
	running, paused := summary("a", "web", container.StateRunning), summary("a", "web", container.StatePaused)
	s.SetContainers([]container.Summary{running})
	s.Event(event(events.ActionPause, "a"))
	if again, wait := s.PutRow("a", &running); !again || wait <= 0 {
		t.Errorf("again %v after %s", again, wait)
	}
	if again, _ := s.PutRow("a", &paused); again {
		t.Error("fetched again though it is as promised")
	}
	s.Event(event(events.ActionDie, "a"))
	n := 0
	for again := true; again; n++ { // a lie is believed in the end
		again, _ = s.PutRow("a", &running)
	}
	if n != mostTries+1 {
		t.Errorf("fetched %d times", n)
	}
}

func TestImageEvents(t *testing.T) {
	s := New()
	e := events.Message{Type: events.ImageEventType, Action: events.ActionTag}
	if f, _ := s.Event(e); f != AllImages {
		t.Error("a tag fetches nothing")
	}
	s.Event(e)
	if !s.PutImages(nil) {
		t.Error("not fetched again")
	}
	s.FailedList(AllImages)
	if f, _ := s.Event(e); f != AllImages {
		t.Error("stuck after a failure")
	}
	s.Reset()
	if f, _ := s.Event(e); f != AllImages {
		t.Error("stuck after a lost connection")
	}
}

func TestOrders(t *testing.T) {
	s := New()
	s.SetContainers([]container.Summary{summary("a", "zeta", container.StateRunning), summary("b", "alpha", container.StateExited), summary("c", "mid", container.StateRunning)})
	usage := func(id string) (float64, uint64) {
		return map[string]float64{"a": 1, "c": 9}[id], map[string]uint64{"a": 9, "c": 1}[id]
	}
	for by, want := range map[Order]string{ByState: "mid zeta alpha", ByName: "alpha mid zeta", ByAge: "alpha zeta mid", ByCPU: "mid zeta alpha", ByMem: "zeta mid alpha"} {
		var got []string
		for _, c := range s.Containers(true, by, usage) {
			got = append(got, c.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("by %s: %v, want %s", by, got, want)
		}
	}
	if got := s.Containers(false, ByName, usage); len(got) != 2 {
		t.Errorf("running only: %v", got)
	}
}

func TestImagesAreRowsByName(t *testing.T) {
	s := New()
	s.SetContainers([]container.Summary{summary("a", "web", container.StateRunning)})
	s.SetImages(FromImages([]image.Summary{
		{ID: "sha256:0123456789abcdef0", Size: 9, RepoTags: []string{"<none>:<none>"}},
		{ID: "sha256:abc", Size: 5, RepoTags: []string{"web:1", "web:latest"}},
	}))
	got := s.Images(ByName)
	if len(got) != 3 || got[0].Title() != "web:1" || got[1].Title() != "web" || got[2].Title() != "<none> 0123456789ab" {
		t.Errorf("%+v", got)
	}
	if got[2].Ref() != "sha256:0123456789abcdef0" || got[1].Ref() != "web:latest" || got[0].Key() == got[1].Key() {
		t.Errorf("%+v", got)
	}
	if s.UsedBy("sha256:abc") != 1 || s.Images(BySize)[0].Size != 9 {
		t.Error("used by, or order by size")
	}
}
