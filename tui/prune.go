package tui

import (
	"context"
	"fmt"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"

	"berth/tui/feed"
)

// sweep is one way to prune: what would go, and what that frees.
type sweep struct {
	label, command string
	count          int
	frees          int64
	do             func(ctx context.Context, c *client.Client) (n int, freed uint64, err error)
}

// askPrune asks the engine what there is, before the user is asked.
func (m *model) askPrune() tea.Cmd {
	m.say("asking what pruning would free…")
	return m.feed.FetchUsage(m.pane().shape().name)
}

// gotUsage takes in what was asked, for the menu or for the system overlay.
func (m *model) gotUsage(u feed.Usage) {
	switch o, ok := m.overlay.(*systemBox); {
	case u.For == systemUsage && ok:
		o.usage = &u
	case u.For == systemUsage:
	case u.Err != nil:
		m.fail(clean(u.Err))
	case m.overlay == nil:
		m.pruneMenu(m.sweeps(u))
	}
}

// pruneEverything offers all ways to prune.
func (m *model) pruneEverything(u feed.Usage) {
	var all []sweep
	for _, name := range []string{m.conts.name, m.imgs.name, m.vols.name, m.nets.name, buildCache} {
		u.For = name
		all = append(all, m.sweeps(u)...)
	}
	m.pruneMenu(all)
}

// pruneMenu offers the ways to prune that free something.
func (m *model) pruneMenu(sweeps []sweep) {
	m.say("")
	var choices []choice
	for i, s := range sweeps {
		if s.count == 0 {
			continue
		}
		label := fmt.Sprintf("%s: %d", s.label, s.count)
		if s.frees > 0 {
			label += ", frees " + size(uint64(s.frees))
		}
		choices = append(choices, choice{fmt.Sprint(i + 1), label, s.command, func() tea.Cmd {
			return m.order(s.command, feed.Done{Verb: "prune", Past: "pruned", Name: s.label}, func(ctx context.Context, c *client.Client) (string, error) {
				n, freed, err := s.do(ctx, c)
				return fmt.Sprintf("%d removed, %s freed", n, size(freed)), err
			})
		}})
	}
	if choices == nil {
		m.say("there is nothing to prune here")
		return
	}
	m.overlay = newMenu("prune", choices...)
}

// sweeps are the ways to prune what a usage was asked for.
func (m *model) sweeps(u feed.Usage) []sweep {
	switch u.For {
	case m.imgs.name:
		return imageSweeps(u)
	case m.vols.name:
		return volumeSweeps(u)
	case m.nets.name:
		return m.networkSweeps()
	case buildCache:
		return []sweep{cacheSweep(u)}
	}
	s := sweep{label: "stopped containers", command: "berth container prune -f", do: func(ctx context.Context, c *client.Client) (int, uint64, error) {
		res, err := c.ContainerPrune(ctx, client.ContainerPruneOptions{})
		return len(res.Report.ContainersDeleted), res.Report.SpaceReclaimed, err
	}}
	for _, c := range u.Containers.Items {
		if known, ok := m.state.Container(c.ID); ok && !known.Running() {
			s.count++
			s.frees += c.SizeRw
		}
	}
	return []sweep{s}
}

// imageSweeps are images without a name, and all that no container uses.
func imageSweeps(u feed.Usage) []sweep {
	prune := func(all bool) func(ctx context.Context, c *client.Client) (int, uint64, error) {
		return func(ctx context.Context, c *client.Client) (int, uint64, error) {
			res, err := c.ImagePrune(ctx, client.ImagePruneOptions{Filters: client.Filters{}.Add("dangling", fmt.Sprint(!all))})
			return len(res.Report.ImagesDeleted), res.Report.SpaceReclaimed, err
		}
	}
	dangling := sweep{label: "images without a name", command: "berth image prune -f", do: prune(false)}
	unused := sweep{label: "images that no container uses", command: "berth image prune -af", do: prune(true)}
	for _, i := range u.Images.Items {
		if i.Containers > 0 {
			continue
		}
		own := i.Size - max(i.SharedSize, 0)
		unused.count++
		unused.frees += own
		if len(i.RepoTags) == 0 || i.RepoTags[0] == "<none>:<none>" {
			dangling.count++
			dangling.frees += own
		}
	}
	return []sweep{dangling, unused}
}

// volumeSweeps are volumes that nobody gave a name, and all that no container uses.
func volumeSweeps(u feed.Usage) []sweep {
	prune := func(all bool) func(ctx context.Context, c *client.Client) (int, uint64, error) {
		return func(ctx context.Context, c *client.Client) (int, uint64, error) {
			res, err := c.VolumePrune(ctx, client.VolumePruneOptions{All: all})
			return len(res.Report.VolumesDeleted), res.Report.SpaceReclaimed, err
		}
	}
	anonymous := sweep{label: "unused volumes without a name", command: "berth volume prune -f", do: prune(false)}
	unused := sweep{label: "all unused volumes", command: "berth volume prune -af", do: prune(true)}
	for _, v := range u.Volumes.Items {
		if v.UsageData == nil || v.UsageData.RefCount > 0 {
			continue
		}
		unused.count++
		unused.frees += max(v.UsageData.Size, 0)
		if _, ok := v.Labels["com.docker.volume.anonymous"]; ok {
			anonymous.count++
			anonymous.frees += max(v.UsageData.Size, 0)
		}
	}
	return []sweep{anonymous, unused}
}

// networkSweeps are the networks without a container.
func (m *model) networkSweeps() []sweep {
	s := sweep{label: "networks without a container", command: "berth network prune -f", do: func(ctx context.Context, c *client.Client) (int, uint64, error) {
		res, err := c.NetworkPrune(ctx, client.NetworkPruneOptions{})
		return len(res.Report.NetworksDeleted), 0, err
	}}
	for _, n := range m.state.Networks("") {
		if !n.Builtin() && len(m.state.MembersOf(n)) == 0 {
			s.count++
		}
	}
	return []sweep{s}
}

// buildCache names what builds leave, which has no panel.
const buildCache = "Build cache"

// cacheSweep is what builds have left.
func cacheSweep(u feed.Usage) sweep {
	return sweep{label: "build cache", command: "berth builder prune -af", count: int(u.BuildCache.TotalCount), frees: u.BuildCache.Reclaimable,
		do: func(ctx context.Context, c *client.Client) (int, uint64, error) {
			res, err := c.BuildCachePrune(ctx, client.BuildCachePruneOptions{All: true})
			return len(res.Report.CachesDeleted), res.Report.SpaceReclaimed, err
		}}
}
