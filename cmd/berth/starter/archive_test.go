package starter

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// archive writes the images of a pretended busybox and reads them back.
func archive(t *testing.T) map[string][]byte {
	t.Helper()
	s := &Source{binary: []byte("\x7fELF busybox"), applets: []string{"busybox", "sh", "ls"}}
	var b bytes.Buffer
	n, err := s.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("wrote %d of %d bytes: %v", n, b.Len(), err)
	}
	return untar(t, b.Bytes())
}

func untar(t *testing.T, b []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[h.Name] = body
	}
}

func TestArchiveIsWhole(t *testing.T) {
	files := archive(t)
	var images []image
	if err := json.Unmarshal(files["manifest.json"], &images); err != nil {
		t.Fatal(err)
	}
	if len(images) != 2 || images[0].RepoTags[0] != Busybox || images[1].RepoTags[0] != Image {
		t.Fatalf("images %+v", images)
	}
	for _, im := range images {
		raw, ok := files[im.Config]
		if !ok || hexSum(raw)+".json" != im.Config {
			t.Errorf("%s: the configuration is not what its name says", im.RepoTags)
		}
		var c config
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatal(err)
		}
		if len(c.RootFS.DiffIDs) != len(im.Layers) || c.Config.Labels[Label] == "" {
			t.Errorf("%s: %d layers, %d diff IDs, labels %v", im.RepoTags, len(im.Layers), len(c.RootFS.DiffIDs), c.Config.Labels)
		}
		steps := 0
		for _, h := range c.History {
			if !h.EmptyLayer {
				steps++
			}
		}
		if steps != len(im.Layers) {
			t.Errorf("%s: history has %d steps for %d layers", im.RepoTags, steps, len(im.Layers))
		}
		for i, l := range im.Layers {
			if "sha256:"+hexSum(files[l]) != c.RootFS.DiffIDs[i] {
				t.Errorf("%s: layer %d is not what its diff ID says", im.RepoTags, i)
			}
		}
	}
	if len(images[1].Layers) < 4 {
		t.Errorf("the starter image has %d layers, and at least four show something", len(images[1].Layers))
	}
}

// TestLayersAddModifyAndDelete holds what the layer browser is to show.
func TestLayersAddModifyAndDelete(t *testing.T) {
	seen := map[string]bool{}
	added, modified, deleted := 0, 0, 0
	for _, s := range steps([]byte("x"), []string{"sh"}) {
		for name, e := range s.entries {
			base := filepath.Base(name)
			switch {
			case strings.HasPrefix(base, ".wh."):
				deleted++
				if hidden := filepath.Join(filepath.Dir(name), strings.TrimPrefix(base, ".wh.")); base != ".wh..wh..opq" && !seen[hidden] {
					t.Errorf("%s hides nothing", name)
				}
			case seen[name] && (e.body != "" || e.link != ""):
				modified++
			default:
				added++
			}
			seen[name] = true
		}
	}
	if added == 0 || modified == 0 || deleted == 0 {
		t.Errorf("%d added, %d modified, %d deleted", added, modified, deleted)
	}
}

func TestSameBusyboxSameImage(t *testing.T) {
	a, b := archive(t), archive(t)
	if !bytes.Equal(a["manifest.json"], b["manifest.json"]) {
		t.Errorf("%s\n%s", a["manifest.json"], b["manifest.json"])
	}
}

func TestOpenRefusesWhatCannotRun(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{text, filepath.Join(dir, "missing")} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("opening %s: %v", path, err)
		}
	}
	// The shell of this machine is linked against its libraries.
	if sh, err := filepath.EvalSymlinks("/bin/bash"); err == nil {
		if _, err := Open(sh); err == nil || !strings.Contains(err.Error(), "static") {
			t.Errorf("opening %s: %v", sh, err)
		}
	}
}

func hexSum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
