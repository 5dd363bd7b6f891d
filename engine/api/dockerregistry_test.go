package api_test

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"berth/engine/registry/registrytest"
)

// registrySession is what dockerd and its command say, word for word, of an
// engine with the image busybox and registries $R and $S, of which $S wants a
// password. The lines of layers come in any order.
const registrySession = `
$ tag busybox $R/team/app
$ push $R/team/app
Using default tag: latest
The push refers to repository [$R/team/app]
~[0-9a-f]{12}: Preparing
~[0-9a-f]{12}: Pushed
~latest: digest: sha256:[0-9a-f]{64} size: [0-9]+
$ push -q $R/team/app
$R/team/app:latest
$ tag busybox $R/other:2
$ push -a $R/other
The push refers to repository [$R/other]
~[0-9a-f]{12}: Preparing
~[0-9a-f]{12}: Mounted from team/app
~2: digest: sha256:[0-9a-f]{64} size: [0-9]+
$ push $R/absent
[1]
Using default tag: latest
The push refers to repository [$R/absent]
An image does not exist locally with the tag: $R/absent
$ push $R/other:absent
[1]
The push refers to repository [$R/other]
tag does not exist: $R/other:absent
$ pull $R/team/app
Using default tag: latest
latest: Pulling from team/app
~Digest: sha256:[0-9a-f]{64}
Status: Image is up to date for $R/team/app:latest
$R/team/app:latest
$ rmi busybox $R/team/app $R/other:2
~(Untagged|Deleted): .*
~(Untagged|Deleted): .*
~(Untagged|Deleted): .*
~(Untagged|Deleted): .*
~(Untagged|Deleted): .*
~(Untagged|Deleted): .*
~(Untagged|Deleted): .*
$ pull $R/team/app
Using default tag: latest
latest: Pulling from team/app
~[0-9a-f]{12}: Pulling fs layer
~[0-9a-f]{12}: Verifying Checksum
~[0-9a-f]{12}: Download complete
~[0-9a-f]{12}: Pull complete
~Digest: sha256:[0-9a-f]{64}
Status: Downloaded newer image for $R/team/app:latest
$R/team/app:latest
$ pull -a $R/other
2: Pulling from other
~[0-9a-f]{12}: Already exists
~Digest: sha256:[0-9a-f]{64}
Status: Downloaded newer image for $R/other
$R/other
$ pull -q $R/other:2
$R/other:2
$ pull $R/nosuch
[1]
Using default tag: latest
Error response from daemon: manifest for $R/nosuch:latest not found: manifest unknown: manifest unknown
$ pull $R/other:2 --platform linux/s390x
2: Pulling from other
~Digest: sha256:[0-9a-f]{64}
Status: Image is up to date for $R/other:2
WARNING: image with reference $R/other:2 was found but its platform (linux/amd64) does not match the specified platform (linux/s390x)
$R/other:2
$ pull 127.0.0.1:1/x:1
[1]
Error response from daemon: Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused
$ tag $R/other:2 $S/app:1
$ push $S/app:1
[1]
The push refers to repository [$S/app]
~[0-9a-f]{12}: Preparing
no basic auth credentials
$ pull $S/app:1
[1]
Error response from daemon: Head "http://$S/v2/app/manifests/1": no basic auth credentials
$ login -u ann --password-stdin $S < wrong
[1]
Error response from daemon: login attempt to http://$S/v2/ failed with status: 401 Unauthorized
$ login -u ann --password-stdin $S < secret

~WARNING! Your credentials are stored unencrypted in .*
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/

Login Succeeded
$ push $S/app:1
The push refers to repository [$S/app]
~[0-9a-f]{12}: Preparing
~[0-9a-f]{12}: Pushed
~1: digest: sha256:[0-9a-f]{64} size: [0-9]+
$ pull -q $S/app:1
$S/app:1
$ run --rm --network none $S/app:1 echo pulled
pulled
$ search --limit 1000 x
[1]
Error response from daemon: Limit 1000 is outside the range of [1, 100]
`

func TestDockerCLIWithRegistries(t *testing.T) {
	r := newRig(t)
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skip("no docker CLI in PATH")
	}
	addr := func(passwords bool) string {
		s, err := registrytest.Start(registrytest.Options{Dir: t.TempDir(), Passwords: passwords})
		if errors.Is(err, registrytest.ErrNotInstalled) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Stop)
		return s.Addr
	}
	r.session(strings.NewReplacer("$R", addr(false), "$S", addr(true)).Replace(registrySession))
}
