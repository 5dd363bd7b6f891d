package main

import (
	"strings"
	"testing"
)

func TestErrorsSayWhatToTypeNext(t *testing.T) {
	for text, want := range map[string]string{
		"No such container: nosuch":                                        "No such container: nosuch; 'berth ps -a' lists the containers",
		"No such image: nosuch:latest":                                     "No such image: nosuch:latest; 'berth images' lists the images",
		`unknown command "pull"`:                                           `unknown command "pull"; 'berth --help' lists the verbs`,
		"a; bring it in with 'berth load'":                                 "a; bring it in with 'berth load'",
		"writing the archive: unexpected EOF":                              "writing the archive: unexpected EOF; the engine could not go on: its log says why",
		"the engine needs root":                                            "the engine needs root",
		"reg:1 is no registry: it answers with a web page":                 "reg:1 is no registry: it answers with a web page; check its name and port, and whether a proxy wants to be logged in to",
		`Get "https://reg:1/v2/": dial tcp: lookup reg on x: no such host`: `Get "https://reg:1/v2/": dial tcp: lookup reg on x: no such host; the registry cannot be reached: check its name and port, and whether it is running`,
		"remote error: tls: certificate required":                          "remote error: tls: certificate required; the registry asks who you are: put your pair into /etc/berth/certs.d/REGISTRY/client.cert and client.key",
		"name unknown: app":                                                "name unknown: app; the registry has no such repository: check the name, or make it there first",
		"repository app not found: name unknown: app":                      "repository app not found: name unknown: app; check the name: the registry has no such repository",
		"received unexpected HTTP status: 404 Not Found":                   "received unexpected HTTP status: 404 Not Found; check the name and the port: either there is no registry, or it takes no such repository",
		"received unexpected HTTP status: 503 Service Unavailable":         "received unexpected HTTP status: 503 Service Unavailable; the registry has a fault of its own: try again later",
		`x failed: OCI runtime create failed: runc create failed: unable to start container process: exec: "/etc": is a directory: unknown`: `exec: "/etc": is a directory`,
	} {
		if got := advise(text); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
	got := advise(`failed to create task for container: OCI runtime create failed: unable to start container process: exec: "ll": executable file not found in $PATH: unknown`)
	if !strings.HasPrefix(got, `exec: "ll": executable file not found in $PATH; the image has no such command`) {
		t.Error(got)
	}
	full := advise("write /var/lib/berth/meta.db: no space left on device")
	if !strings.Contains(full, "berth system df") {
		t.Error(full)
	}
}
