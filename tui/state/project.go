package state

import (
	"cmp"
	"slices"
	"strings"

	"berth/tui/text"
)

// Project is a compose project: the containers with its label.
type Project struct {
	Name       string
	Dir        string   // where it was started
	Files      []string // of what, from there
	Containers []Container
}

// Counts says how many of its containers run, and how many there are.
func (p Project) Counts() (running, all int) {
	for _, c := range p.Containers {
		if c.Running() {
			running++
		}
	}
	return running, len(p.Containers)
}

// Match is what the filter looks at.
func (p Project) Match() string {
	words := []string{p.Name}
	for _, c := range p.Containers {
		words = append(words, c.Service)
	}
	return strings.Join(words, " ")
}

// Projects lists the compose projects.
func (s *State) Projects(by Order) []Project {
	all := map[string]*Project{}
	for _, c := range s.containers {
		if c.Project == "" {
			continue
		}
		p := all[c.Project]
		if p == nil {
			p = &Project{Name: c.Project}
			all[c.Project] = p
		}
		p.Dir = cmp.Or(p.Dir, c.ProjectDir)
		if p.Files == nil {
			p.Files = c.ProjectFiles
		}
		p.Containers = append(p.Containers, c)
	}
	out := make([]Project, 0, len(all))
	for _, p := range all {
		slices.SortFunc(p.Containers, func(a, b Container) int {
			return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Name, b.Name))
		})
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b Project) int {
		if by == ByState {
			ar, _ := a.Counts()
			br, _ := b.Counts()
			return cmp.Or(cmp.Compare(b2i(ar == 0), b2i(br == 0)), cmp.Compare(a.Name, b.Name))
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return out
}

// filesOf are the files of a project, as its label has them: with commas between.
func filesOf(label string) []string {
	if label == "" {
		return nil
	}
	return strings.Split(text.Clean(label), ",")
}
