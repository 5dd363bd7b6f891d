package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"

	archive "github.com/moby/go-archive"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/output"
)

// copyOptions are the flags of cp.
type copyOptions struct {
	archive, follow, quiet bool
}

func newCopy(a *app) *cobra.Command {
	var o copyOptions
	c := &cobra.Command{
		Use:   "cp [flags] CONTAINER:PATH PATH|-\n  berth cp [flags] PATH|- CONTAINER:PATH",
		Short: "Copy files into containers and out of them",
		Long: "Copies a file or a directory. PATH/. means what is in a directory. As \"-\" it is a\n" +
			"tar stream: from standard input, or to standard output.",
		Args: args(2, 2, "cp needs a source and a destination, one of them in a container, such as web:/etc/motd"),
		RunE: func(c *cobra.Command, args []string) error {
			from, source := splitCopyArg(args[0])
			to, dest := splitCopyArg(args[1])
			switch {
			case from == "" && to == "":
				return errors.New("one of both must be in a container, such as web:/etc/motd; use cp(1) for files of the host")
			case from != "" && to != "":
				return errors.New("copying between containers is not supported; use two cp with - as in: berth cp a:/x - | berth cp - b:/")
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			if from != "" {
				return a.copyOut(c.Context(), cl, from, source, dest, o)
			}
			return a.copyIn(c.Context(), cl, source, to, dest, o)
		},
	}
	fs := c.Flags()
	fs.BoolVarP(&o.archive, "archive", "a", false, "into a container: give everything its user as the owner")
	fs.BoolVarP(&o.follow, "follow-link", "L", false, "of a link, copy what it leads to")
	fs.BoolVarP(&o.quiet, "quiet", "q", false, "do not say what was copied")
	return c
}

// splitCopyArg splits CONTAINER:PATH; a path of the host that has a colon begins
// with / or a dot.
func splitCopyArg(arg string) (ref, name string) {
	if filepath.IsAbs(arg) || strings.HasPrefix(arg, ".") || arg == "-" {
		return "", arg
	}
	ref, name, ok := strings.Cut(arg, ":")
	if !ok {
		return "", arg
	}
	return ref, name
}

// copyOut copies a path of a container to one of the host.
func (a *app) copyOut(ctx context.Context, cl *connect.Client, ref, source, dest string, o copyOptions) error {
	rebase := ""
	if o.follow {
		res, err := cl.ContainerStatPath(ctx, ref, client.ContainerStatPathOptions{Path: source})
		// A link that leads nowhere is copied as it is.
		if err == nil && res.Stat.Mode&os.ModeSymlink != 0 {
			target := res.Stat.LinkTarget
			if !path.IsAbs(target) {
				target = path.Join(path.Dir(source), target)
			}
			source, rebase = archive.GetRebaseName(source, target)
		}
	}
	res, err := cl.CopyFromContainer(ctx, ref, client.CopyFromContainerOptions{SourcePath: source})
	if err != nil {
		return err
	}
	defer res.Content.Close()
	if dest == "-" {
		_, err := io.Copy(a.out, res.Content)
		return err
	}
	if dest, err = localPath(dest); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Dir(dest)); err != nil {
		return fmt.Errorf("copy to %s: %w", dest, err)
	}
	var n atomic.Int64
	content := io.Reader(counted{res.Content, &n})
	info := archive.CopyInfo{Path: source, Exists: true, IsDir: res.Stat.Mode.IsDir(), RebaseName: rebase}
	if rebase != "" {
		_, base := archive.SplitPathDirEntry(info.Path)
		rebased := archive.RebaseArchiveEntries(content, base, rebase)
		defer rebased.Close()
		content = rebased
	}
	if err := archive.CopyTo(content, info, dest); err != nil {
		return fmt.Errorf("copy %s:%s to %s: %w", ref, source, dest, err)
	}
	a.copied(o, n.Load(), dest)
	return nil
}

// copyIn copies a path of the host to one of a container.
func (a *app) copyIn(ctx context.Context, cl *connect.Client, source, ref, dest string, o copyOptions) error {
	into, err := a.copyDestination(ctx, cl, ref, dest)
	if err != nil {
		return err
	}
	var n atomic.Int64
	content, dir := io.Reader(counted{a.in, &n}), into.Path
	if source != "-" {
		if source, err = localPath(source); err != nil {
			return err
		}
		from, err := archive.CopyInfoSourcePath(source, o.follow)
		if err != nil {
			return fmt.Errorf("copy %s: %w", source, err)
		}
		tar, err := archive.TarResource(from)
		if err != nil {
			return fmt.Errorf("copy %s: %w", source, err)
		}
		defer tar.Close()
		// The names in the stream become what they are to be called there.
		target, prepared, err := archive.PrepareArchiveCopy(counted{tar, &n}, from, into)
		if err != nil {
			return fmt.Errorf("copy %s to %s:%s: %w", source, ref, dest, err)
		}
		defer prepared.Close()
		content, dir = prepared, target
	} else if into.Exists && !into.IsDir {
		return fmt.Errorf("copy to %s:%s: a tar stream needs a directory", ref, dest)
	}
	_, err = cl.CopyToContainer(ctx, ref, client.CopyToContainerOptions{DestinationPath: dir, Content: content, CopyUIDGID: o.archive})
	if err != nil {
		return err
	}
	a.copied(o, n.Load(), ref+":"+dest)
	return nil
}

// copyDestination is what a path of a container is, a link followed once.
func (a *app) copyDestination(ctx context.Context, cl *connect.Client, ref, dest string) (archive.CopyInfo, error) {
	info := archive.CopyInfo{Path: dest}
	stat, err := statIn(ctx, cl, ref, dest)
	if err == nil && stat.Mode&os.ModeSymlink != 0 {
		target := stat.LinkTarget
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(dest), target)
		}
		info.Path = target
		stat, err = statIn(ctx, cl, ref, target)
	}
	if err == nil {
		info.Exists, info.IsDir = true, stat.Mode.IsDir()
		return info, nil
	}
	// That there is nothing yet is fine, that there is no such container is not.
	_, err = cl.ContainerInspect(ctx, ref, client.ContainerInspectOptions{})
	return info, err
}

func statIn(ctx context.Context, cl *connect.Client, ref, name string) (container.PathStat, error) {
	res, err := cl.ContainerStatPath(ctx, ref, client.ContainerStatPathOptions{Path: name})
	return res.Stat, err
}

// localPath makes a path of the host absolute and keeps what its end means.
func localPath(name string) (string, error) {
	full, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	return archive.PreserveTrailingDotOrSeparator(full, name), nil
}

// copied says on the terminal what was done, in docker's words.
func (a *app) copied(o copyOptions, n int64, to string) {
	if !o.quiet {
		fmt.Fprintf(a.err, "Successfully copied %s to %s\n", output.Size(n), to)
	}
}

// counted counts what is read.
type counted struct {
	io.Reader
	n *atomic.Int64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(n))
	return n, err
}
