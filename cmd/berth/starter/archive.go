package starter

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// The names under which the archive's two images are loaded.
const (
	Image   = "berth/starter:latest"
	Busybox = "busybox:latest"
)

// Label carries, in both images, the digest of the busybox that they are made
// of: an engine that shows it has them already.
const Label = "berth.starter"

// Source is a busybox that a starter image can be made of.
type Source struct {
	binary  []byte
	applets []string
}

// Open reads the busybox at path. It must be static, since the image holds no
// library, and able to run here, since it is asked for its applets.
func Open(path string) (*Source, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading busybox: %w", err)
	}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("reading busybox %s: %w", path, err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return nil, fmt.Errorf("busybox %s is dynamically linked, and an image without libraries needs a static one (Debian: apt-get install busybox-static)", path)
		}
	}
	out, err := exec.Command(path, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("asking busybox %s for its applets: %w", path, err)
	}
	return &Source{binary: b, applets: strings.Fields(string(out))}, nil
}

// Version is the value of Label for images made of s.
func (s *Source) Version() string {
	sum := sha256.New()
	fmt.Fprintf(sum, "3\n%s\n", strings.Join(s.applets, " ")) // the number grows with the steps' content
	sum.Write(s.binary)
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// config is an image's configuration (OCI image-spec, config.md).
type config struct {
	Created      time.Time `json:"created"`
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Config       struct {
		Env        []string          `json:"Env"`
		Cmd        []string          `json:"Cmd"`
		WorkingDir string            `json:"WorkingDir"`
		Labels     map[string]string `json:"Labels"`
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	History []historyLine `json:"history"`
}

type historyLine struct {
	Created    time.Time `json:"created"`
	CreatedBy  string    `json:"created_by"`
	Comment    string    `json:"comment,omitempty"`
	EmptyLayer bool      `json:"empty_layer,omitempty"`
}

// image is one item of an archive's manifest.json.
type image struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// WriteTo writes both images as an archive of the docker save kind. They share
// their first layer.
func (s *Source) WriteTo(w io.Writer) (int64, error) {
	count := &counter{w: w}
	tw := tar.NewWriter(count)
	var layers []string
	var diffIDs []string
	all := steps(s.binary, s.applets)
	for _, st := range all {
		b, err := st.tar()
		if err != nil {
			return count.n, err
		}
		sum := sha256.Sum256(b)
		id := hex.EncodeToString(sum[:])
		name := id + "/layer.tar"
		if err := add(tw, name, b); err != nil {
			return count.n, err
		}
		layers, diffIDs = append(layers, name), append(diffIDs, "sha256:"+id)
	}
	var images []image
	for _, im := range []struct {
		tag string
		n   int
		cmd []string
	}{{Busybox, 1, []string{"sh"}}, {Image, len(all), []string{"sh", "-l"}}} {
		c, err := json.Marshal(s.config(all[:im.n], diffIDs[:im.n], im.cmd))
		if err != nil {
			return count.n, fmt.Errorf("writing the configuration of %s: %w", im.tag, err)
		}
		sum := sha256.Sum256(c)
		name := hex.EncodeToString(sum[:]) + ".json"
		if err := add(tw, name, c); err != nil {
			return count.n, err
		}
		images = append(images, image{Config: name, RepoTags: []string{im.tag}, Layers: layers[:im.n]})
	}
	m, err := json.Marshal(images)
	if err != nil {
		return count.n, fmt.Errorf("writing the archive's manifest: %w", err)
	}
	if err := add(tw, "manifest.json", m); err != nil {
		return count.n, err
	}
	if err := tw.Close(); err != nil {
		return count.n, fmt.Errorf("ending the archive: %w", err)
	}
	return count.n, nil
}

func (s *Source) config(steps []step, diffIDs, cmd []string) config {
	c := config{Created: epoch, Architecture: runtime.GOARCH, OS: "linux"}
	c.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	c.Config.Cmd = cmd
	c.Config.WorkingDir = "/"
	c.Config.Labels = map[string]string{Label: s.Version()}
	c.RootFS.Type, c.RootFS.DiffIDs = "layers", diffIDs
	for _, st := range steps {
		c.History = append(c.History, historyLine{Created: epoch, CreatedBy: st.by})
	}
	c.History = append(c.History, historyLine{Created: epoch, CreatedBy: fmt.Sprintf("CMD %q", cmd), EmptyLayer: true})
	return c
}

func add(w *tar.Writer, name string, body []byte) error {
	h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(body)), ModTime: epoch}
	if err := w.WriteHeader(h); err != nil {
		return fmt.Errorf("adding %s to the archive: %w", name, err)
	}
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("adding %s to the archive: %w", name, err)
	}
	return nil
}

// counter counts what goes through it.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
