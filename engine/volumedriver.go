package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"berth/runtime/mount"
	"berth/shim"

	"github.com/containerd/errdefs"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/volume"
	"golang.org/x/sys/unix"
)

// The local driver's volumes are directories, unless their options name a file
// system (type, device, o, as mount(8) has them). Such a file system is mounted
// when the first container that uses it starts, in nobody's mount table but its
// shim's; who comes later gets a copy of that mount from the shim. With the last
// of them the kernel takes it away, however they end.

// checkOptions refuses options that the local driver does not have.
func checkOptions(opts map[string]string) error {
	need := map[string][]string{"device": {"type"}, "type": {"device"}, "o": {"device", "type"}, "size": nil}
	for _, name := range slices.Sorted(maps.Keys(opts)) {
		if _, known := need[name]; !known {
			return fmt.Errorf("invalid option: %q", name)
		}
	}
	if opts["type"] == "cifs" && opts["device"] != "" {
		u, err := url.Parse(opts["device"])
		if err != nil {
			return fmt.Errorf("error parsing mount device url: %w", err)
		}
		if u.Port() != "" {
			return errors.New("port not allowed in CIFS device URL, include 'port' in 'o='")
		}
	}
	if size, ok := opts["size"]; ok {
		n, err := units.RAMInBytes(size)
		if err != nil {
			return err
		}
		if n > 0 {
			return errors.New("quota size requested but no quota support")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(opts)) {
		for _, other := range need[name] {
			if _, ok := opts[other]; !ok {
				return fmt.Errorf("missing required option: %q", other)
			}
		}
	}
	return nil
}

// hasDevice tells that a volume is a file system of its own.
func hasDevice(v volume.Volume) bool { return v.Options["device"] != "" || v.Options["type"] != "" }

// newMount mounts the file system of a volume, in nobody's mount table.
func newMount(ctx context.Context, v volume.Volume) (*os.File, error) {
	fail := func(err error) (*os.File, error) {
		text := err.Error()
		// A password is among the options that the kernel does not like.
		for word := range strings.SplitSeq(v.Options["o"], ",") {
			if secret, ok := strings.CutPrefix(word, "password="); ok && secret != "" {
				text = strings.ReplaceAll(text, "password="+secret, "password=********")
			}
		}
		return nil, kind(errdefs.ErrInternal, "error while mounting volume '%s': %s", v.Mountpoint, text)
	}
	device, data := v.Options["device"], v.Options["o"]
	if device == "" {
		return fail(errors.New("missing device in volume options"))
	}
	if t := v.Options["type"]; t == "nfs" || t == "cifs" {
		var err error
		if device, data, err = resolveHosts(ctx, t, device, data); err != nil {
			return fail(err)
		}
	}
	m := mount.Mount{Type: v.Options["type"], Source: device, Options: strings.Split(data, ",")}
	tree, err := m.Tree()
	if err != nil {
		return fail(fmt.Errorf("failed to mount local volume: mount %s:%s%s: %w", device, v.Mountpoint, describeOptions(data), cause(err)))
	}
	return tree, nil
}

// cause is the kernel's reason alone, if there is one: docker says no more, and
// the rest names what the message has named already.
func cause(err error) error {
	var errno unix.Errno
	switch {
	case errors.As(err, &errno):
		return errno
	case errdefs.IsNotImplemented(err):
		return unix.ENODEV
	}
	return err
}

// describeOptions writes options as docker's errors do: flags of mount(2), and the rest.
func describeOptions(options string) string {
	var flags int
	var rest []string
	for o := range strings.SplitSeq(options, ",") {
		flag, known := mountFlags[o]
		flags |= flag
		if !known && o != "" {
			rest = append(rest, o)
		}
	}
	text := ""
	if flags != 0 {
		text += ", flags: 0x" + strconv.FormatInt(int64(flags), 16)
	}
	if len(rest) > 0 {
		text += ", data: " + strings.Join(rest, ",")
	}
	return text
}

var mountFlags = map[string]int{
	"defaults": 0, "rw": 0, "suid": 0, "dev": 0, "exec": 0, "async": 0, "atime": 0, "diratime": 0,
	"ro": unix.MS_RDONLY, "nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC, "sync": unix.MS_SYNCHRONOUS,
	"dirsync": unix.MS_DIRSYNC, "remount": unix.MS_REMOUNT, "mand": unix.MS_MANDLOCK, "noatime": unix.MS_NOATIME, "nodiratime": unix.MS_NODIRATIME,
	"relatime": unix.MS_RELATIME, "strictatime": unix.MS_STRICTATIME, "bind": unix.MS_BIND, "rbind": unix.MS_BIND | unix.MS_REC,
	"private": unix.MS_PRIVATE, "rprivate": unix.MS_PRIVATE | unix.MS_REC, "slave": unix.MS_SLAVE, "rslave": unix.MS_SLAVE | unix.MS_REC,
	"shared": unix.MS_SHARED, "rshared": unix.MS_SHARED | unix.MS_REC, "unbindable": unix.MS_UNBINDABLE, "runbindable": unix.MS_UNBINDABLE | unix.MS_REC,
}

// resolveHosts looks up the server's name, which the kernel does not do: addr= of
// the options, or for cifs the host of the device.
func resolveHosts(ctx context.Context, fstype, device, data string) (string, string, error) {
	lookup := func(host string) (string, error) {
		if _, err := netip.ParseAddr(host); err == nil {
			return host, nil
		}
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return "", fmt.Errorf("error resolving passed in network volume address: %w", err)
		}
		return found[0].Unmap().String(), nil
	}
	for word := range strings.SplitSeq(data, ",") {
		if host, ok := strings.CutPrefix(word, "addr="); ok && host != "" {
			addr, err := lookup(host)
			return device, strings.Replace(data, word, "addr="+addr, 1), err
		}
	}
	if fstype != "cifs" {
		return device, data, nil
	}
	u, err := url.Parse(device)
	if err != nil {
		return device, data, fmt.Errorf("error parsing mount device url: %w", err)
	}
	if u.Host == "" {
		return device, data, nil
	}
	addr, err := lookup(u.Host)
	return strings.Replace(device, u.Host, addr, 1), data, err
}

// lockMount keeps others from mounting the file system of a volume until the
// caller has it where tree finds it.
func (vs *Volumes) lockMount(name string) (unlock func()) {
	vs.mounting.Lock(name)
	return func() { vs.mounting.Unlock(name) }
}

// tree opens what a volume holds, as a detached mount: the directory, or the file
// system that a container has mounted, or that file system mounted anew. The
// caller holds lockMount of a volume that has a device.
func (vs *Volumes) tree(ctx context.Context, v volume.Volume) (*os.File, error) {
	if !hasDevice(v) {
		return mount.Clone(unix.AT_FDCWD, v.Mountpoint, true)
	}
	for _, c := range vs.e.Containers.all() {
		rec := c.snapshot()
		for i, m := range rec.Mounts {
			if m.Name != v.Name {
				continue
			}
			client, err := shim.Connect(ctx, vs.e.Containers.shimDir(rec.ID))
			if err != nil {
				continue // it does not run
			}
			if tree, err := client.Tree(vs.e.Containers.treePath(rec.ID, i)); err == nil {
				return tree, nil
			}
		}
	}
	return newMount(ctx, v)
}

// open opens the root directory of a volume for reading and writing below it.
func (vs *Volumes) open(ctx context.Context, v volume.Volume) (*os.File, error) {
	if !hasDevice(v) {
		return mount.OpenTree(v.Mountpoint)
	}
	defer vs.lockMount(v.Name)()
	return vs.tree(ctx, v)
}
