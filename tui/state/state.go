package state

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
)

// State is everything known.
type State struct {
	containers map[string]Container
	images     []Image
	imagesNth  int              // how often the list of images has changed
	volumesNth int              // how often the list of volumes has
	shared     map[string]int64 // how much of an image others have, by ID
	volumes    []Volume
	networks   []Network
	loaded     struct{ containers, images, volumes, networks bool }

	// Rows being fetched. A row that changes meanwhile is fetched once more, so
	// that answers arriving out of order never show an older state.
	fetching map[string]bool // ID → changed since the fetch began

	// What the last event of a container promised. Some engines (docker 20.10)
	// emit an event before their list shows the change; a row that does not
	// keep the promise is fetched again, a few times.
	promised map[string]promise
}

// promise is a state that an event announced.
type promise struct {
	action events.Action
	tries  int
}

// kept tells whether a container is as the event said.
func (p promise) kept(c Container) bool {
	switch p.action {
	case events.ActionPause:
		return c.State == container.StatePaused
	case events.ActionStart, events.ActionUnPause:
		return c.State == container.StateRunning
	case events.ActionDie:
		return c.State != container.StateRunning && c.State != container.StatePaused
	}
	return true
}

// mostTries bounds how often a row is fetched for one event.
const mostTries = 6

// New is an empty state.
func New() *State {
	return &State{containers: map[string]Container{}, fetching: map[string]bool{}, promised: map[string]promise{}}
}

// The keys under which fetches of whole lists are counted.
const (
	imageRows   = "images"
	volumeRows  = "volumes"
	networkRows = "networks"
)

// SetContainers is the snapshot of containers; it forgets what was known.
func (s *State) SetContainers(list []container.Summary) {
	clear(s.containers)
	for _, sum := range list {
		c := FromSummary(sum)
		s.containers[c.ID] = c
	}
	s.loaded.containers = true
}

// SetImages is the snapshot of images.
func (s *State) SetImages(list []Image) {
	s.images = list
	s.imagesNth++
	s.loaded.images = true
}

// ImagesVersion tells one list of images from the next; 0 when none has come.
func (s *State) ImagesVersion() int { return s.imagesNth }

// SetShared notes how much of each image others have too.
func (s *State) SetShared(sizes map[string]int64) { s.shared = sizes }

// Shared is how much of an image others have too; false when it is not known.
func (s *State) Shared(id string) (int64, bool) {
	n, ok := s.shared[id]
	return n, ok
}

// ContainersOf lists the containers of an image, by name.
func (s *State) ContainersOf(imageID string) []Container {
	var out []Container
	for _, c := range s.containers {
		if c.ImageID == imageID {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Container) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// LoadedMore tells whether the snapshot's volumes and networks have come.
func (s *State) LoadedMore() (volumes, networks bool) { return s.loaded.volumes, s.loaded.networks }

// Loaded tells whether the first snapshot has come.
func (s *State) Loaded() (containers, images bool) { return s.loaded.containers, s.loaded.images }

// Reset forgets which fetches are under way; their connection is gone.
func (s *State) Reset() {
	clear(s.fetching)
	clear(s.promised)
}

// Fetch is what to do after an event.
type Fetch int

// The fetches.
const (
	Nothing Fetch = iota
	Row           // fetch the container named
	AllImages
	AllVolumes
	AllNetworks
)

// Event says what an event makes necessary: at most one fetch.
func (s *State) Event(e events.Message) (Fetch, string) {
	id := e.Actor.ID
	switch e.Type {
	case events.ContainerEventType:
		action, _, _ := strings.Cut(string(e.Action), ":")
		switch events.Action(action) {
		case events.ActionDestroy:
			delete(s.containers, id)
			delete(s.promised, id)
			if _, busy := s.fetching[id]; busy { // its answer may be older than this event
				s.fetching[id] = true
			}
			return Nothing, id
		case events.ActionExecCreate, events.ActionExecStart, events.ActionExecDie, events.ActionExecDetach,
			events.ActionAttach, events.ActionDetach, events.ActionResize, events.ActionTop, events.ActionCommit,
			events.ActionCopy, events.ActionExport, events.ActionArchivePath, events.ActionExtractToDir:
			return Nothing, ""
		}
		switch events.Action(action) {
		case events.ActionPause, events.ActionUnPause, events.ActionStart, events.ActionDie:
			s.promised[id] = promise{action: events.Action(action)}
		}
		if id != "" && s.begin(id) {
			return Row, id
		}
	case events.ImageEventType:
		if s.begin(imageRows) {
			return AllImages, ""
		}
	case events.VolumeEventType:
		switch e.Action {
		case events.ActionMount, events.ActionUnmount: // the container's own event tells it
		default:
			if s.begin(volumeRows) {
				return AllVolumes, ""
			}
		}
	case events.NetworkEventType:
		switch e.Action {
		case events.ActionConnect, events.ActionDisconnect:
			// What starts or ends has an event of its own; this tells of one that lives.
			member := e.Actor.Attributes["container"]
			if _, known := s.containers[member]; known && s.begin(member) {
				return Row, member
			}
		default:
			if s.begin(networkRows) {
				return AllNetworks, ""
			}
		}
	}
	return Nothing, ""
}

// begin notes a fetch, or that the one under way must be repeated.
func (s *State) begin(key string) bool {
	if _, busy := s.fetching[key]; busy {
		s.fetching[key] = true
		return false
	}
	s.fetching[key] = false
	return true
}

// done ends a fetch and tells whether to repeat it.
func (s *State) done(key string) (again bool) {
	again = s.fetching[key]
	delete(s.fetching, key)
	return again && s.begin(key)
}

// PutRow stores an answer; nil means that there is no such container. It tells
// whether the row must be fetched again, and how long to wait before.
func (s *State) PutRow(id string, sum *container.Summary) (again bool, wait time.Duration) {
	if sum == nil {
		delete(s.containers, id)
		delete(s.promised, id)
		return s.done(id), 0
	}
	c := FromSummary(*sum)
	c.Busy = s.containers[id].Busy
	s.containers[c.ID] = c
	again = s.done(id)
	p, ok := s.promised[id]
	switch {
	case !ok || again:
	case p.kept(c) || p.tries == mostTries:
		delete(s.promised, id)
	default:
		p.tries++
		s.promised[id] = p
		return s.begin(id), time.Duration(p.tries) * 20 * time.Millisecond
	}
	return again, 0
}

// PutImages stores an answer and tells whether to fetch again.
func (s *State) PutImages(list []Image) (again bool) {
	s.SetImages(list)
	return s.done(imageRows)
}

// Failed ends a fetch of a row that brought nothing.
func (s *State) Failed(id string) { delete(s.fetching, id) }

// FailedList ends a fetch of a whole list that brought nothing.
func (s *State) FailedList(f Fetch) {
	delete(s.fetching, map[Fetch]string{AllImages: imageRows, AllVolumes: volumeRows, AllNetworks: networkRows}[f])
}

// SetBusy notes the verb that is under way on a container.
func (s *State) SetBusy(id, verb string) {
	if c, ok := s.containers[id]; ok {
		c.Busy = verb
		s.containers[id] = c
	}
}

// Container looks one up.
func (s *State) Container(id string) (Container, bool) {
	c, ok := s.containers[id]
	return c, ok
}

// Order is how a list is sorted.
type Order string

// The orders. Every list begins with the first of its own.
const (
	ByState Order = "state"
	ByName  Order = "name"
	ByAge   Order = "age"
	ByCPU   Order = "cpu"
	ByMem   Order = "memory"
	BySize  Order = "size"

	ByMembers Order = "members"
	ByPort    Order = "port"
)

// Usage is what sorting by CPU and memory needs to know.
type Usage func(id string) (cpu float64, mem uint64)

// Containers lists the containers, those that run first with ByState; stopped
// ones only if all is set.
func (s *State) Containers(all bool, by Order, usage Usage) []Container {
	out := make([]Container, 0, len(s.containers))
	for _, c := range s.containers {
		if all || c.Running() {
			out = append(out, c)
		}
	}
	name := func(a, b Container) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	}
	slices.SortFunc(out, func(a, b Container) int {
		switch by {
		case ByState:
			return cmp.Or(cmp.Compare(rank(a), rank(b)), name(a, b))
		case ByAge:
			return cmp.Or(cmp.Compare(b.Created, a.Created), name(a, b))
		case ByCPU, ByMem:
			ac, am := usage(a.ID)
			bc, bm := usage(b.ID)
			if by == ByCPU {
				return cmp.Or(cmp.Compare(bc, ac), name(a, b))
			}
			return cmp.Or(cmp.Compare(bm, am), name(a, b))
		}
		return name(a, b)
	})
	return out
}

// rank puts what runs first.
func rank(c Container) int {
	switch c.State {
	case container.StateRunning, container.StatePaused, container.StateRestarting:
		return 0
	case container.StateCreated:
		return 1
	}
	return 2
}

// Counts says how many containers run and how many there are.
func (s *State) Counts() (running, all int) {
	for _, c := range s.containers {
		if c.Running() {
			running++
		}
	}
	return running, len(s.containers)
}

// Images lists the images.
func (s *State) Images(by Order) []Image {
	out := slices.Clone(s.images)
	slices.SortFunc(out, func(a, b Image) int {
		tags := cmp.Or(cmp.Compare(b2i(a.Tag == ""), b2i(b.Tag == "")), cmp.Compare(a.Tag, b.Tag), cmp.Compare(a.ID, b.ID))
		switch by {
		case BySize:
			return cmp.Or(cmp.Compare(b.Size, a.Size), tags)
		case ByAge:
			return cmp.Or(cmp.Compare(b.Created, a.Created), tags)
		}
		return tags
	})
	return out
}

// UsedBy counts the containers of an image.
func (s *State) UsedBy(imageID string) int {
	n := 0
	for _, c := range s.containers {
		if c.ImageID == imageID {
			n++
		}
	}
	return n
}

// b2i makes a boolean comparable.
func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
