// Package starter makes the image that a new user's console opens on: a root
// filesystem around one static busybox, in layers that add, modify and delete
// files, so that the layer browser has something to show.
//
// Everything in it follows from the busybox binary alone: the same binary
// always gives the same image. It must not import a client or an engine.
package starter

import (
	"archive/tar"
	"bytes"
	"fmt"
	"path"
	"sort"
	"time"
)

// epoch is the date of every file and step: images that differ only in their
// date would not be the same image.
var epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// entry is one path of a layer. A body makes a file, a link a symbolic link,
// neither a directory.
type entry struct {
	mode int64
	body string
	link string
}

// step is one layer with the line of history that explains it.
type step struct {
	by      string
	entries map[string]entry
}

// steps are the layers of the starter image, the first of which is all of the
// busybox image.
func steps(busybox []byte, applets []string) []step {
	return []step{
		{"ADD busybox and a root filesystem around it in /", rootFiles(busybox, applets)},
		{"COPY site and tools", addedFiles()},
		{"RUN tune the settings, chmod the tool, greet", modifiedFiles()},
		{"RUN rm -rf the caches and the old site", deletedFiles()},
		{"RUN write the release notes", noteFiles()},
	}
}

// rootFiles is the root filesystem: busybox under the name of each applet, and
// what programs expect to find in /etc.
func rootFiles(busybox []byte, applets []string) map[string]entry {
	f := map[string]entry{
		"bin/busybox":       {mode: 0o755, body: string(busybox)},
		"tmp":               {mode: 0o1777},
		"root":              {mode: 0o700},
		"var/tmp":           {mode: 0o1777},
		"etc/passwd":        {mode: 0o644, body: "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nguest:x:1000:1000:guest:/home/guest:/bin/sh\n"},
		"etc/group":         {mode: 0o644, body: "root:x:0:\nnogroup:x:65534:\nguest:x:1000:\n"},
		"etc/shadow":        {mode: 0o600, body: "root:*:::::::\nguest:*:::::::\n"},
		"etc/profile":       {mode: 0o644, body: "export PS1='\\u@\\h:\\w\\$ '\n[ -r /etc/motd ] && cat /etc/motd\n"},
		"etc/nsswitch.conf": {mode: 0o644, body: "hosts: files dns\n"},
		"usr/bin/env":       {link: "/bin/busybox"},
	}
	for _, d := range []string{"bin", "dev", "etc", "home", "home/guest", "proc", "sbin", "sys", "usr", "usr/bin", "usr/sbin", "var", "var/log", "run"} {
		f[d] = entry{mode: 0o755}
	}
	for _, a := range applets {
		if a != "busybox" {
			f["bin/"+a] = entry{link: "busybox"}
		}
	}
	return f
}

// addedFiles is the step that only adds.
func addedFiles() map[string]entry {
	log := &bytes.Buffer{}
	for i := range 2000 {
		fmt.Fprintf(log, "2026-01-01T00:%02d:%02d starter: line %d of a log that nobody needed in an image\n", i/60%60, i%60, i)
	}
	return map[string]entry{
		"etc/motd":                 {mode: 0o644, body: "Welcome.\n"},
		"etc/starter.conf":         {mode: 0o644, body: "# settings of the starter image\nworkers = 2\nlog = /var/log/starter.log\ncolour = auto\n"},
		"opt":                      {mode: 0o755},
		"opt/starter":              {mode: 0o755},
		"opt/starter/tick":         {mode: 0o644, body: "#!/bin/sh\n# Prints a line every second: something for the Logs tab to follow.\ni=0\nwhile :; do i=$((i+1)); echo \"tick $i\"; sleep 1; done\n"},
		"srv":                      {mode: 0o755},
		"srv/www":                  {mode: 0o755},
		"srv/www/index.html":       {mode: 0o644, body: "<!doctype html>\n<title>berth</title>\n<h1>It floats.</h1>\n"},
		"srv/old":                  {mode: 0o755},
		"srv/old/index.html":       {mode: 0o644, body: "<h1>The old site</h1>\n"},
		"srv/old/style.css":        {mode: 0o644, body: "body { font-family: serif }\n"},
		"var/cache":                {mode: 0o755},
		"var/cache/starter":        {mode: 0o755},
		"var/cache/starter/a.pack": {mode: 0o644, body: log.String()},
		"var/cache/starter/b.pack": {mode: 0o644, body: log.String() + "the same again, to waste space\n"},
		"var/log/starter.log":      {mode: 0o644, body: log.String()},
	}
}

// modifiedFiles is the step that changes contents, and one mode without its
// content.
func modifiedFiles() map[string]entry {
	tick := addedFiles()["opt/starter/tick"]
	tick.mode = 0o755
	return map[string]entry{
		"etc/motd":           {mode: 0o644, body: "This is berth's starter image. Try:\n  touch /hello      and watch the Diff tab\n  /opt/starter/tick and watch the Logs tab\n  httpd -f -h /srv/www   serves a page on port 80\n"},
		"etc/starter.conf":   {mode: 0o644, body: "# settings of the starter image\nworkers = 8\nlog = /var/log/starter.log\ncolour = always\n"},
		"opt/starter/tick":   tick,
		"srv/www/index.html": {mode: 0o644, body: "<!doctype html>\n<meta charset=utf-8>\n<title>berth</title>\n<h1>It floats.</h1>\n<p>Served by busybox httpd from a container of berth's.</p>\n"},
	}
}

// deletedFiles is the step that takes away: two files by whiteouts, and a
// directory whose old content an opaque marker hides.
func deletedFiles() map[string]entry {
	return map[string]entry{
		"var/cache/.wh.starter":    {mode: 0o644, body: whiteout},
		"var/log/.wh.starter.log":  {mode: 0o644, body: whiteout},
		"srv/old":                  {mode: 0o755},
		"srv/old/.wh..wh..opq":     {mode: 0o644, body: whiteout},
		"srv/old/moved-to-srv-www": {mode: 0o644, body: "see /srv/www\n"},
	}
}

// noteFiles is a small last step.
func noteFiles() map[string]entry {
	return map[string]entry{
		"etc/starter-release": {mode: 0o644, body: "NAME=starter\nVERSION=1\n"},
	}
}

// whiteout is the body of a marker file: empty, but not the empty string that
// stands for a directory.
const whiteout = "\x00"

// tarOf writes a step as a layer, in the order of its paths.
func (s step) tar() ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	names := make([]string, 0, len(s.entries))
	for n := range s.entries {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		e := s.entries[n]
		h := &tar.Header{Name: n, Mode: e.mode, ModTime: epoch, Format: tar.FormatPAX}
		body := e.body
		switch {
		case e.link != "":
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, e.link, 0o777
		case body == "":
			h.Typeflag, h.Name = tar.TypeDir, n+"/"
		default:
			if body == whiteout {
				body = ""
			}
			h.Typeflag, h.Size = tar.TypeReg, int64(len(body))
		}
		if path.Clean(n) == "home/guest" {
			h.Uid, h.Gid = 1000, 1000
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("writing %s of the starter image: %w", n, err)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			return nil, fmt.Errorf("writing %s of the starter image: %w", n, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("writing the starter image: %w", err)
	}
	return b.Bytes(), nil
}
