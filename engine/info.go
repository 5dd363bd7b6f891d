package engine

import (
	"context"
	"crypto/sha256"
	"fmt"

	"berth/engine/filter"
	"berth/store/snapshot"

	"github.com/google/uuid"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"
	"golang.org/x/sys/unix"
)

// imageUsers lists the containers by the images that they were made from, and those they mount.
func (cs *Containers) imageUsers() []ImageUser {
	var users []ImageUser
	for _, c := range cs.all() {
		rec := c.snapshot()
		users = append(users, ImageUser{ContainerID: rec.ID, ImageID: rec.ImageID, Running: rec.State.Running})
		for i := range rec.Mounts {
			if id := rec.mount(i).Image; id != "" {
				users = append(users, ImageUser{ContainerID: rec.ID, ImageID: id, Running: rec.State.Running, Mounts: true})
			}
		}
	}
	return users
}

// Info tells about the engine, what it holds, and its machine.
func (e *Engine) Info(ctx context.Context) (system.Info, error) {
	info, err := hostInfo()
	if err != nil {
		return info, err
	}
	info.RegistryConfig = e.Images.registry.Load().ServiceConfig()
	images, err := e.Images.images.List(ctx)
	if err != nil {
		return info, fmt.Errorf("counting images: %w", err)
	}
	info.Images = len(images)
	for _, c := range e.Containers.all() {
		info.Containers++
		switch s := c.snapshot().State; {
		case s.Paused:
			info.ContainersPaused++
		case s.Running:
			info.ContainersRunning++
		default:
			info.ContainersStopped++
		}
	}
	info.DockerRootDir = e.cfg.Root
	var reason error
	if info.Driver, reason = e.store.Snapshots.Driver(); info.Driver != snapshot.OverlayDriver {
		info.DriverStatus = [][2]string{{"Overlay", reason.Error()}}
	}
	info.ID = engineID(e.cfg.Root, info.Name)
	settings := e.settings()
	info.LoggingDriver = settings.logs(container.LogConfig{}).Type
	info.Labels = append(info.Labels, settings.Labels...)
	settings.addRuntimes(&info)
	for _, p := range e.cfg.Networks.Pools {
		info.DefaultAddressPools = append(info.DefaultAddressPools, system.NetworkAddressPool{Base: p.Base, Size: p.Size})
	}
	info.NEventsListener = e.Events.Subscribers()
	return info, nil
}

// identity is how the engine calls itself.
func (e *Engine) identity() (id struct{ ID, Name string }, err error) {
	uts, err := uname()
	id.Name = unix.ByteSliceToString(uts.Nodename[:])
	id.ID = engineID(e.cfg.Root, id.Name)
	return id, err
}

// engineID is a UUID that stays the same for a root directory on a machine.
func engineID(root, host string) string {
	sum := sha256.Sum256([]byte(host + "\x00" + root))
	id, err := uuid.FromBytes(sum[:16])
	if err != nil {
		panic(err) // sixteen bytes are a UUID
	}
	return id.String()
}

// DiskUsage tells what the engine keeps on disk, and how much of it nothing uses.
func (e *Engine) DiskUsage(ctx context.Context) (DiskUsage, error) {
	var used DiskUsage
	var err error
	if err := e.Images.usage(ctx, &used.Images); err != nil {
		return used, err
	}
	if used.Containers.Items, err = e.Containers.List(ctx, ListOptions{All: true, Size: true}); err != nil {
		return used, err
	}
	for _, c := range used.Containers.Items {
		used.Containers.TotalCount++
		used.Containers.TotalSize += c.SizeRw
		if c.State == container.StateRunning || c.State == container.StatePaused || c.State == container.StateRestarting {
			used.Containers.ActiveCount++
		} else {
			used.Containers.Reclaimable += c.SizeRw
		}
	}
	if used.Volumes.Items, err = e.Volumes.List(ctx, filter.Args{}); err != nil {
		return used, err
	}
	if used.Builds, err = e.Builds.Usage(ctx); err != nil {
		return used, err
	}
	users := e.Volumes.users()
	for i := range used.Volumes.Items {
		v := &used.Volumes.Items[i]
		v.UsageData = &volume.UsageData{Size: treeSize(ctx, v.Mountpoint), RefCount: int64(len(users[v.Name]))}
		used.Volumes.TotalCount++
		used.Volumes.TotalSize += v.UsageData.Size
		if v.UsageData.RefCount > 0 {
			used.Volumes.ActiveCount++
		} else {
			used.Volumes.Reclaimable += v.UsageData.Size
		}
	}
	return used, nil
}
