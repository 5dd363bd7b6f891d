package state

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/volume"

	"berth/tui/text"
)

// Volume is one volume as the console shows it.
type Volume struct {
	Name    string
	Driver  string
	Path    string // where the engine keeps it
	Created int64  // Unix seconds
	Size    int64  // bytes, or -1 as long as the engine was not asked for it
	Labels  map[string]string
	Options map[string]string
}

// AnonymousVolume is the label of a volume that nobody gave a name.
const AnonymousVolume = "com.docker.volume.anonymous"

// Anonymous tells whether the engine made up the name.
func (v Volume) Anonymous() bool {
	_, ok := v.Labels[AnonymousVolume]
	return ok
}

// Title is what the row is called.
func (v Volume) Title() string {
	if v.Anonymous() {
		return Short(v.Name)
	}
	return v.Name
}

// Match is what the filter looks at.
func (v Volume) Match() string { return v.Name + " " + v.Driver }

// FromVolumes cleans the engine's list.
func FromVolumes(list []volume.Volume) []Volume {
	out := make([]Volume, 0, len(list))
	for _, v := range list {
		row := Volume{
			Name: text.Clean(v.Name), Driver: text.Clean(v.Driver), Path: text.Clean(v.Mountpoint), Size: -1,
			Labels: cleanMap(v.Labels), Options: cleanMap(v.Options),
		}
		if at, err := time.Parse(time.RFC3339, v.CreatedAt); err == nil {
			row.Created = at.Unix()
		}
		out = append(out, row)
	}
	return out
}

// cleanMap makes labels and options safe to show.
func cleanMap(in map[string]string) map[string]string {
	out := make(map[string]string, len(in))
	for k, v := range in {
		out[text.Clean(k)] = text.Clean(v)
	}
	return out
}

// Pairs writes labels or options as "name=value", in order.
func Pairs(m map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return out
}

// SetVolumes is the snapshot of volumes. Sizes that are known stay known.
func (s *State) SetVolumes(list []Volume) {
	known := map[string]int64{}
	for _, v := range s.volumes {
		known[v.Name] = v.Size
	}
	for i, v := range list {
		if size, ok := known[v.Name]; ok && v.Size < 0 {
			list[i].Size = size
		}
	}
	s.volumes = list
	s.volumesNth++
	s.loaded.volumes = true
}

// VolumesVersion tells one list of volumes from the next; 0 when none has come.
func (s *State) VolumesVersion() int { return s.volumesNth }

// PutVolumes stores an answer and tells whether to fetch again.
func (s *State) PutVolumes(list []Volume) (again bool) {
	s.SetVolumes(list)
	return s.done(volumeRows)
}

// SetSizes notes how large volumes are, by name.
func (s *State) SetSizes(sizes map[string]int64) {
	for i, v := range s.volumes {
		if n, ok := sizes[v.Name]; ok {
			s.volumes[i].Size = n
		}
	}
}

// Volumes lists the volumes.
func (s *State) Volumes(by Order) []Volume {
	out := slices.Clone(s.volumes)
	slices.SortFunc(out, func(a, b Volume) int {
		name := cmp.Or(cmp.Compare(b2i(a.Anonymous()), b2i(b.Anonymous())), cmp.Compare(a.Name, b.Name))
		switch by {
		case BySize:
			return cmp.Or(cmp.Compare(b.Size, a.Size), name)
		case ByAge:
			return cmp.Or(cmp.Compare(b.Created, a.Created), name)
		}
		return name
	})
	return out
}

// User is a container that uses a volume, and where it sees it.
type User struct {
	Container Container
	Path      string
	ReadOnly  bool
}

// UsersOf lists the containers that use a volume, by name.
func (s *State) UsersOf(volume string) []User {
	var out []User
	for _, c := range s.containers {
		for _, m := range c.Mounts {
			if m.Volume == volume {
				out = append(out, User{Container: c, Path: m.Path, ReadOnly: m.ReadOnly})
			}
		}
	}
	slices.SortFunc(out, func(a, b User) int {
		return cmp.Or(strings.Compare(a.Container.Name, b.Container.Name), strings.Compare(a.Path, b.Path))
	})
	return out
}
