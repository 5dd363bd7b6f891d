package main

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// changedFiles are in the container whose diff and commit are measured.
	changedFiles = 20_000
	// manyEntries is the size of the layer that is browsed.
	manyEntries = 1_000_000
)

// layers measures what looks into layers: diff and commit of many changed files beside docker, and the first screen of
// a layer of a million entries.
func (b *bench) layers(ctx context.Context) (err error) {
	all, _, err := b.startEngines(ctx)
	defer func() { err = errors.Join(err, stopAll(all)) }()
	if err != nil {
		return err
	}
	if err := b.changed(ctx, all); err != nil {
		return err
	}
	return b.browsing(ctx, all[0])
}

// changed measures diff and commit of a container with many new files.
func (b *bench) changed(ctx context.Context, all []*engine) error {
	const per = 100 // files in a directory
	script := fmt.Sprintf("i=0; while [ $i -lt %d ]; do mkdir -p /many/$i; j=0; while [ $j -lt %d ]; do echo file $i/$j of many >/many/$i/$j; j=$((j+1)); done; i=$((i+1)); done; echo made; sleep 100000",
		changedFiles/per, per)
	diff := result{what: fmt.Sprintf("diff of %d changed files", changedFiles), peers: map[string]float64{}}
	commit := result{what: fmt.Sprintf("commit of %d changed files", changedFiles), peers: map[string]float64{}}
	diff.goal, diff.met = ratio("docker", 0.5)
	commit.goal, commit.met = ratio("docker", 0.5)
	for _, e := range all {
		if _, err := e.do(ctx, "run", "-d", "--network", "none", "--name", "idle", e.image, "sh", "-c", script); err != nil {
			return err
		}
		for said := ""; !strings.Contains(said, "made"); time.Sleep(100 * time.Millisecond) {
			var err error
			if said, err = e.do(ctx, "logs", "idle"); err != nil {
				return err
			}
		}
		var diffs, commits []time.Duration
		for i := range 3 {
			took, err := timed(func() error { _, err := e.do(ctx, "diff", "idle"); return err })
			if err != nil {
				return err
			}
			diffs = append(diffs, took)
			// Another file each time, or the layer is there already.
			if _, err := e.do(ctx, "exec", "idle", "touch", "/many/again"+strconv.Itoa(i)); err != nil {
				return err
			}
			if took, err = timed(func() error { _, err := e.do(ctx, "commit", "idle"); return err }); err != nil {
				return err
			}
			commits = append(commits, took)
		}
		if e == all[0] {
			diff.berth, commit.berth = median(diffs), median(commits)
		} else {
			diff.peers[e.name], commit.peers[e.name] = median(diffs), median(commits)
		}
	}
	b.add(diff)
	b.add(commit)
	return nil
}

// timed is how long f takes.
func timed(f func() error) (time.Duration, error) {
	start := time.Now()
	err := f()
	return time.Since(start), err
}

// browsing measures what the console asks for when one opens a layer of a million entries, and what the engine holds
// afterwards.
func (b *bench) browsing(ctx context.Context, ours *engine) error {
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeManyEntries(w)) }()
	load := exec.CommandContext(ctx, ours.cmd[0], append(ours.cmd[1:], "import", "-", "million")...)
	load.Stdin = r
	if out, err := load.CombinedOutput(); err != nil {
		return fmt.Errorf("importing a million entries: %w: %s", err, out)
	}
	sock := filepath.Join(b.dir, "s", "berth.sock")
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", sock)
	}}}
	defer c.CloseIdleConnections()
	get := func(path string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://berth/berth/images/million/"+path, nil)
		if err != nil {
			return err
		}
		resp, err := c.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || n == 0 {
			return fmt.Errorf("asking for %s: %s, %d bytes: %w", path, resp.Status, n, err)
		}
		return nil
	}
	for _, m := range []struct{ what, path string }{
		{"the list of layers", "layers"},
		{"first screen of a layer", "layers/0/entries?dir=/&depth=1&limit=100"},
		{"first screen of a directory in its middle", "layers/0/entries?dir=/d500&depth=1&limit=100&union=1"},
		{"a page behind others", "layers/0/entries?dir=/d500&depth=1&limit=100&after=/d500/f800"},
	} {
		took, err := timed(func() error { return get(m.path) })
		if err != nil {
			return err
		}
		b.add(result{what: fmt.Sprintf("%s, %d entries", m.what, manyEntries), berth: ms(took), goal: "at most 100 ms", met: atMost(100)})
	}
	return nil
}

// atMost holds a measurement against a limit.
func atMost(limit float64) func(result) *bool {
	return func(r result) *bool {
		ok := r.berth <= limit
		return &ok
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// writeManyEntries writes the tar of a tree of a thousand directories of a thousand links: files would take a million
// blocks.
func writeManyEntries(out io.Writer) error {
	buf := bufio.NewWriterSize(out, 1<<20)
	w := tar.NewWriter(buf)
	const dirs = 1000
	for d := range dirs {
		dir := fmt.Sprintf("d%03d/", d)
		if err := w.WriteHeader(&tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			return err
		}
		for f := range manyEntries/dirs - 1 {
			if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("%sf%03d", dir, f), Typeflag: tar.TypeSymlink, Linkname: "target", Mode: 0o777}); err != nil {
				return err
			}
		}
	}
	return errors.Join(w.Close(), buf.Flush())
}
