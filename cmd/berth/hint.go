package main

import "strings"

// ociPreface is what engines put before the reason why a command could not be
// executed. docker's CLI reads exit codes out of the words behind it, so the
// API has to send all; a user is told the reason alone.
const ociPreface = "OCI runtime create failed: "

// hints are what to type after an error, by words of the error. The first that
// fits is taken.
var hints = []struct{ words, hint string }{
	{"no such container", "'berth ps -a' lists the containers"},
	{"no such image", "'berth images' lists the images"},
	{"no such object", "'berth ps -a' and 'berth images' list what there is"},
	{"executable file not found", "the image has no such command: 'berth image layers' shows the image's files, 'berth run -it IMAGE sh' looks around in it"},
	{"is already in use by container", "'berth rm' removes it, 'berth rename' gives it another name"},
	{"no space left on device", "'berth system df' shows what takes the room, 'berth rm' and 'berth rmi' free it"},
	{"the archive is cut off", "nothing of it was kept: copy or 'berth save' it again"},
	{"the stream is cut off", "nothing of it was kept: get or make it again"},
	{"leads out of the layer", "nothing of it was kept: do not trust where it comes from"},
	{": absolute name", "nothing of it was kept: make it again with names that do not begin with /"},
	{"not a tar archive", "'berth load' reads what 'docker save' and 'berth save' write"},
	{"has neither manifest.json nor index.json", "'berth import' takes the tar of a root file system"},
	{"no basic auth credentials", "the registry wants a password: 'berth login REGISTRY'"},
	{"unauthorized: authentication required", "the registry does not take these credentials: 'berth login REGISTRY'"},
	{"pull access denied", "check the name; 'berth login REGISTRY' if the repository is private"},
	{"denied: requested access", "'berth login REGISTRY' as somebody who may push there"},
	{"login attempt to", "check the user name and the password"},
	{"manifest unknown", "check the name and the tag: 'berth manifest inspect NAME:TAG' asks the registry"},
	{"log in for a higher limit", "'berth login' does that; mirrors are named in /etc/berth/config.toml"},
	{"toomanyrequests", "'berth login' as a user with a higher limit, wait, or name a mirror in /etc/berth/config.toml"},
	{"no matching manifest for", "'berth pull --platform' takes one of those that the image is for"},
	{"certificate signed by unknown authority", "put the certificate of who signed it into /etc/berth/certs.d/REGISTRY/ca.crt"},
	{"tls: bad certificate", "the registry asks who you are: put your pair into /etc/berth/certs.d/REGISTRY/client.cert and client.key"},
	{"tls: certificate required", "the registry asks who you are: put your pair into /etc/berth/certs.d/REGISTRY/client.cert and client.key"},
	{"server gave http response to https client", "if the registry has no TLS, name it under insecure in /etc/berth/config.toml"},
	{`/v2/": dial tcp`, "the registry cannot be reached: check its name and port, and whether it is running"},
	{"/v1/search?", "the registry cannot be reached: 'berth search REGISTRY/TERM' asks another"},
	{"answers with a web page", "check its name and port, and whether a proxy wants to be logged in to"},
	{"not found: name unknown", "check the name: the registry has no such repository"},
	{"name unknown", "the registry has no such repository: check the name, or make it there first"},
	{"received unexpected http status: 404", "check the name and the port: either there is no registry, or it takes no such repository"},
	{"received unexpected http status: 5", "the registry has a fault of its own: try again later"},
	{"an image does not exist locally", "'berth images' lists the images, 'berth tag' names one for a registry"},
	{"tag does not exist", "'berth images' lists the images, 'berth tag' names one for a registry"},
	{"a new pull goes on from there", "try 'berth pull' again"},
	{"is not running", "'berth start' starts it"},
	{"unexpected eof", "the engine could not go on: its log says why"},
	{"unknown command", "'berth --help' lists the verbs"},
}

// advise makes an engine's error one for a person at a terminal: without the
// words that are there for programs, and with what to type next unless the
// error says so itself.
func advise(text string) string {
	if _, reason, ok := strings.Cut(text, ociPreface); ok {
		reason = strings.TrimPrefix(reason, "runc create failed: ")
		reason = strings.TrimPrefix(reason, "unable to start container process: ")
		text = strings.TrimSuffix(reason, ": unknown")
	}
	if strings.Contains(text, "'berth ") {
		return text
	}
	low := strings.ToLower(text)
	for _, h := range hints {
		if strings.Contains(low, h.words) {
			return strings.TrimRight(text, ".\n") + "; " + h.hint
		}
	}
	return text
}
