package api_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// builds are Dockerfiles, after "--" with the files of their context, "name=content"
// each on a line. Where BuildKit makes something else of one than the classic builder,
// which dockerd 20.10 has, it is not here: VOLUME keeps what later steps write there,
// and an image always has a PATH.
var builds = map[string]string{
	"app":     "FROM busybox\nRUN echo app:x:7:8::/:/bin/sh >> /etc/passwd && echo app:x:8: >> /etc/group",
	"stages":  "FROM busybox AS a\nRUN mkdir /out && echo built > /out/r\nFROM busybox\nCOPY --from=a /out/r /r\nCMD cat /r",
	"chown":   "FROM beside-app\nCOPY --chown=app:app f /home/f\nCOPY --chown=12:34 f d/ /x/\n--\nf=1\nd/g=2",
	"args":    "ARG V=1\nFROM busybox\nARG V\nARG W=2\nENV A=$W B=\"b c\" C=${A:-x}\nRUN echo $V $W $A $B > /o\nENV PATH=/x:$PATH",
	"onbuild": "FROM busybox\nENV A=1\nONBUILD COPY f /ob\nONBUILD RUN echo trig > /trig",
	"health":  "FROM busybox\nENV A=1\nHEALTHCHECK --interval=5s --timeout=2s --retries=4 --start-period=1s CMD test -e /x",
	"shell":   "FROM busybox\nSHELL [\"/bin/sh\",\"-ec\"]\nRUN echo s > /s\nCMD echo hi",
	"user":    "FROM beside-app\nUSER app\nWORKDIR /tmp\nENV A=1\nUSER 5:6",
	"workdir": "FROM busybox\nWORKDIR /a\nWORKDIR b\nRUN pwd > p\nENTRYPOINT [\"sh\",\"-c\"]\nCMD [\"pwd\"]",
	"meta":    "FROM busybox\nENV A=1\nLABEL a=b c=\"d e\"\nEXPOSE 80 90/udp 100-102\nSTOPSIGNAL SIGINT\nVOLUME /v",
	"tree":    "FROM busybox\nRUN ln -s /bin/sh /lnk && mkdir /st && chmod 1777 /st && echo x > /h && rm /etc/group && rm -r /tmp && mkdir /tmp",
	"ignore":  "FROM busybox\nCOPY . /all/\n--\n.dockerignore=*.log\na.log=1\nsub/y=3\nz=5",
	"dirs":    "FROM busybox\nCOPY d /d\nCOPY d/ /e/\nCOPY f d /g/\nCOPY f /etc\nCOPY *.txt /txt/\n--\nf=1\nd/g=2\nd/h/i=3\na.txt=4\nb.txt=5",
	"command": "FROM busybox\nENV A=1\nENTRYPOINT echo\nCMD [\"a\"]\nENTRYPOINT [\"b\"]",
	"heirs":   "FROM beside-onbuild\nENV B=1\n--\nf=1",
	"code":    "FROM busybox\nRUN exit 7",
	"missing": "FROM busybox\nCOPY nofile /",
}

// TestBuildsBesideDockerd builds with the classic client on both engines: the same
// configuration, the same files, the same error must come of it.
func TestBuildsBesideDockerd(t *testing.T) {
	if testing.Short() {
		t.Skip("builds with two engines")
	}
	r := newRig(t)
	for _, program := range []string{"docker", "dockerd"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs docker and dockerd to compare with (Debian: apt-get install docker.io)")
		}
	}
	t.Setenv("DOCKER_BUILDKIT", "0")
	ours := side{t: t, name: "berth", host: "unix://" + r.socket, dir: filepath.Join(r.dir, "cli")}
	theirs := side{t: t, name: "dockerd", host: startDockerd(t), dir: t.TempDir()}
	base := rootfs(t)
	for _, s := range []*side{&ours, &theirs} {
		s.prepare(base)
		if out, code := s.docker("", []string{"import", "-c", `CMD ["sh"]`, "$T/rootfs.tar", "busybox:latest"}); code != 0 {
			t.Fatal(out)
		}
	}
	names := slices.Sorted(maps.Keys(builds))
	// What others are built on comes first.
	bases := []string{"app", "onbuild"}
	names = append(bases, slices.DeleteFunc(names, func(n string) bool { return slices.Contains(bases, n) })...)
	for _, name := range names {
		got, want := ours.built(name), theirs.built(name)
		if got != want {
			t.Errorf("%s: berth\n%s\ndockerd\n%s", name, got, want)
		}
	}
}

// built builds and tells what came of it: the configuration and the files, or the error.
func (s *side) built(name string) string {
	s.t.Helper()
	dockerfile, files, _ := strings.Cut(builds[name], "\n--\n")
	dir := filepath.Join(s.dir, "build-"+name)
	for _, f := range append(strings.Split(files, "\n"), "Dockerfile="+dockerfile+"\n") {
		path, content, ok := strings.Cut(f, "=")
		if !ok {
			continue
		}
		path = filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			s.t.Fatal(err)
		}
	}
	image := "beside-" + name
	out, code := s.docker("", []string{"build", "--network", "none", "-q", "-t", image, dir})
	if code != 0 {
		lines := strings.Split(strings.TrimSpace(out), "\n")
		return fmt.Sprintf("[%d] %s", code, lines[len(lines)-1])
	}
	text, _ := s.docker("", []string{"inspect", "-f", "{{json .Config}}", image})
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		s.t.Fatalf("%s: %v: %s", name, err, text)
	}
	// What a container of the classic builder had is no part of the image.
	for key, v := range all {
		empty := v == nil || v == "" || v == false
		if list, ok := v.([]any); ok {
			empty = len(list) == 0
		}
		if m, ok := v.(map[string]any); ok {
			empty = len(m) == 0
		}
		if empty || key == "Image" || key == "Hostname" {
			delete(all, key)
		}
	}
	config, err := json.Marshal(all)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(config) + "\n" + s.files(image)
}

// files lists the files of an image.
func (s *side) files(image string) string {
	s.t.Helper()
	id, code := s.docker("", []string{"create", "--network", "none", image, "x"})
	if code != 0 {
		s.t.Fatal(id)
	}
	id = strings.TrimSpace(id)
	defer s.docker("", []string{"rm", "-v", id})
	archive := filepath.Join(s.dir, "export.tar")
	if out, code := s.docker("", []string{"export", "-o", archive, id}); code != 0 {
		s.t.Fatal(out)
	}
	data, err := os.ReadFile(archive)
	if err != nil {
		s.t.Fatal(err)
	}
	var list []string
	for tr := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			s.t.Fatal(err)
		}
		name := strings.Trim(strings.TrimPrefix(h.Name, "./"), "/")
		top, _, _ := strings.Cut(name, "/")
		if slices.Contains([]string{"", "dev", "proc", "sys", ".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab"}, name) || slices.Contains([]string{"dev", "proc", "sys"}, top) {
			continue // the engine's
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, tr); err != nil {
			s.t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%s %c %o %d:%d %s %x", name, h.Typeflag, h.Mode&0o7777, h.Uid, h.Gid, h.Linkname, sum.Sum(nil)[:6]))
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}
