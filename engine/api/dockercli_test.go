package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// docker runs the docker CLI against the rig.
func (r *rig) docker(stdin string, args ...string) (output string, code int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", append([]string{"-H", "unix://" + r.socket, "--config", r.dir}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// session is what a user types, one command a line, each followed by what must come: the exit code in brackets if it is
// not 0, then the output; with "~" in front of a line it is a regular expression. $N is --network none, $T the
// directory of the test. What dockerd 28 says is the model; where a text differs on purpose, the line says what ours is.
const session = `
$ run --rm $N busybox echo hi
hi
$ run --rm $N busybox sh -c 'echo out; exit 3'
[3]
out
$ run --rm -i $N busybox cat < from stdin
from stdin
$ run --rm $N -e A=1 -w /tmp -u 7:8 busybox sh -c 'echo $A; pwd; id -u; id -g'
1
/tmp
7
8
$ run --rm $N --hostname h1 busybox cat /etc/hostname
h1
$ run --rm $N --entrypoint echo busybox a b
a b
$ run --rm $N --read-only busybox touch /x
[1]
touch: /x: Read-only file system
$ run --rm $N --tmpfs /t busybox touch /t/x
$ run --rm $N busybox nosuchcommand
[127]
~docker: Error response from daemon: .*exec: "nosuchcommand": executable file not found in \$PATH.*
$ run --rm $N busybox /etc
[126]
~docker: Error response from daemon: .*exec: "/etc": .*
$ run --rm $N 127.0.0.1:1/nosuch:image true
[125]
Unable to find image '127.0.0.1:1/nosuch:image' locally
~docker: Error response from daemon: .*http://127.0.0.1:1/v2/.*connection refused.*
$ run --rm $N --name bad/name busybox true
[125]
docker: Error response from daemon: Invalid container name (bad/name), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed
$ run -d $N --name web -l a=b busybox sh -c 'echo one; echo two >&2; exec sleep 1000'
~[0-9a-f]{64}
$ run -d $N --name web busybox true
[125]
~docker: Error response from daemon: Conflict. The container name "/web" is already in use by container "[0-9a-f]{64}". You have to remove .*
$ ps --format '{{.Names}}|{{.Image}}|{{.Command}}|{{.State}}|{{.Labels}}'
web|busybox|"sh -c 'echo one; ec…"|running|a=b
$ ps -a --filter status=exited -q
$ ps --filter bogus=1
[1]
Error response from daemon: invalid filter 'bogus'
$ exec web echo hello
hello
$ exec -i web cat < typed
typed
$ exec web sh -c 'exit 5'
[5]
$ exec -w /etc -e X=y web sh -c 'pwd; echo $X'
/etc
y
$ exec nope true
[1]
Error response from daemon: No such container: nope
$ exec -d web touch /tmp/new
$ logs --tail 1 -f web < (until it is killed)
$ logs nope
[1]
Error response from daemon: No such container: nope
$ port web
$ inspect -f '{{.State.Status}} {{.Name}} {{.Config.Image}} {{.HostConfig.NetworkMode}} {{.Path}} {{len .NetworkSettings.Networks}}' web
running /web busybox none sh 1
$ inspect nope
[1]
[]
Error: No such object: nope
$ rename web web2
$ rename web2 web
$ pause web
web
$ ps --format '{{.Names}} {{.State}}'
web paused
$ pause web
[1]
~Error response from daemon: (?i)container [0-9a-f]{64} is already paused
$ unpause web
web
$ stats --no-stream --format '{{.Name}} {{.PIDs}}' web
web 1
$ rm web
[1]
Error response from daemon: cannot remove container "web": container is running: stop the container before removing or force remove
$ start web
web
$ kill web
web
$ wait web
137
$ kill web
[1]
~Error response from daemon: (?i)cannot kill container: web: container [0-9a-f]{64} is not running
$ stop web
web
$ rm web
web
$ rm web
[1]
Error response from daemon: No such container: web
$ create --name c1 $N busybox sh -c 'echo ran; exit 4'
~[0-9a-f]{64}
$ start -a c1
[4]
ran
$ wait c1
4
$ logs c1
ran
$ tag busybox other:1
$ tag nosuch other:2
[1]
Error response from daemon: No such image: nosuch:latest
$ images --filter reference=oth* --format '{{.Repository}}:{{.Tag}}'
other:1
$ history --format '{{.CreatedBy}}|{{.Comment}}' busybox
|Imported from -
$ inspect -f '{{.RepoTags}} {{.Os}} {{.Config.Cmd}} {{.RootFS.Type}}' busybox
[busybox:latest other:1] linux [sh] layers
$ rmi other:1
Untagged: other:1
$ rmi busybox
[1]
~Error response from daemon: conflict: unable to remove repository reference "busybox" \(must force\) - container [0-9a-f]{12} is using its referenced image [0-9a-f]{12}
$ rmi nosuch
[1]
Error response from daemon: No such image: nosuch:latest
$ commit -m 'of c1' -a ada -c 'ENV COMMITTED=yes' c1 committed:1
~sha256:[0-9a-f]{64}
$ history --format '{{.CreatedBy}}|{{.Comment}}|{{.Size}}' committed:1
sh -c echo ran; exit 4|of c1|0B
~\|Imported from -\|.*
$ run --rm $N committed:1 sh -c 'echo $COMMITTED'
yes
$ commit -c 'RUN x' c1
[1]
Error response from daemon: run is not a valid change command
$ commit nosuch
[1]
Error response from daemon: No such container: nosuch
$ rmi committed:1
Untagged: committed:1
~Deleted: sha256:[0-9a-f]{64}
$ export -o $T/c1.tar c1
$ rm c1
c1
$ save -o $T/busybox.tar busybox
$ rmi busybox
Untagged: busybox:latest
~Deleted: sha256:[0-9a-f]{64}
~Deleted: sha256:[0-9a-f]{64}
$ load -i $T/busybox.tar
Loaded image: busybox:latest
$ import $T/c1.tar again:1
~sha256:[0-9a-f]{64}
$ run --rm $N again:1 echo again
again
$ volume create v1
v1
$ volume ls
DRIVER    VOLUME NAME
local     v1
$ run --rm $N -v v1:/data busybox touch /data/x
$ run --rm $N -v v1:/data:ro busybox sh -c 'ls /data; touch /data/y 2>&1'
[1]
x
touch: /data/y: Read-only file system
$ volume inspect -f '{{.Name}} {{.Driver}} {{.Scope}}' v1
v1 local local
$ volume rm v1
v1
$ volume rm v1
[1]
Error response from daemon: get v1: no such volume
$ network ls --format '{{.Name}} {{.Driver}} {{.Scope}}'
bridge bridge local
host host local
none null local
$ network rm none
[1]
Error response from daemon: none is a pre-defined network and cannot be removed
exit status 1
$ system df --format '{{.Type}} {{.TotalCount}} {{.Active}}'
Images 2 0
Containers 0 0
Local Volumes 0 0
Build Cache 0 0
$ container prune -f
Total reclaimed space: 0B
$ image prune -f
Total reclaimed space: 0B
$ system prune -f
Total reclaimed space: 0B
$ plugin ls
ID        NAME      DESCRIPTION   ENABLED
$ node ls
[1]
~Error response from daemon: This node is not a swarm manager\..*
$ info --format '{{.CgroupDriver}} {{.OSType}} {{.Swarm.LocalNodeState}} {{.Containers}} {{.Images}}'
cgroupfs linux inactive 0 2
`

// help is what the CLI adds to its errors.
const help = "\n\nRun 'docker run --help' for more information\n"

func TestDockerCLI(t *testing.T) {
	r := newRig(t)
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skip("no docker CLI in PATH")
	}
	r.session(session)
}

// session types a transcript and compares what comes.
func (r *rig) session(transcript string) {
	t := r.t
	t.Helper()
	for _, step := range strings.Split(transcript, "\n$ ")[1:] {
		line, want, _ := strings.Cut(step, "\n")
		line, stdin, _ := strings.Cut(line, " < ")
		wantCode := 0
		if n, err := fmt.Sscanf(want, "[%d]\n", &wantCode); err == nil && n == 1 {
			_, want, _ = strings.Cut(want, "\n")
		}
		args := words(line, filepath.Join(r.dir))
		if strings.Contains(line, "logs --tail 1 -f") {
			r.follow(args)
			continue
		}
		got, code := r.docker(stdin, args...)
		got = strings.TrimSuffix(strings.Replace(got, help, "\n", 1), "\n")
		if code != wantCode || !alike(got, strings.TrimSuffix(want, "\n")) {
			t.Errorf("docker %s\ngot  [%d] %s\nwant [%d] %s", line, code, got, wantCode, want)
		}
	}
}

// follow reads the log of a container that goes on, and leaves after the first line.
func (r *rig) follow(args []string) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", append([]string{"-H", "unix://" + r.socket}, args...)...)
	var out bytes.Buffer
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, err := pipe.Read(buf)
	out.Write(buf[:n])
	if text := out.String(); err != nil || text != "one\n" && text != "two\n" {
		r.t.Errorf("docker logs -f: %q, %v", text, err)
	}
	cancel()
	_ = cmd.Wait() // killed
}

// words splits a command line at spaces, except within single quotes.
func words(line, dir string) []string {
	var args []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			args = append(args, part)
			continue
		}
		part = strings.NewReplacer("$N", "--network none", "$T", dir).Replace(part)
		args = append(args, strings.Fields(part)...)
	}
	return args
}

// alike compares line by line; a wanted line that begins with "~" is a regular expression.
func alike(got, want string) bool {
	gots, wants := strings.Split(got, "\n"), strings.Split(want, "\n")
	if len(gots) != len(wants) {
		return false
	}
	for i, w := range wants {
		if pattern, ok := strings.CutPrefix(w, "~"); ok {
			if !regexp.MustCompile("^" + pattern + "$").MatchString(gots[i]) {
				return false
			}
		} else if gots[i] != w {
			return false
		}
	}
	return true
}
