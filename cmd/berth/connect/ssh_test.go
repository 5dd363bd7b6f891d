package connect

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/client"
)

// fakeSSH puts a program called ssh in front of PATH: it notes how it was
// called, then runs body.
func fakeSSH(t *testing.T, body string) (calls string) {
	t.Helper()
	dir := t.TempDir()
	calls = filepath.Join(dir, "calls")
	script := "#!/bin/sh\nprintf '%s\\n' \"$@\" >>" + calls + "\n" + body + "\n"
	if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return calls
}

func TestSSHSaysWhatWentWrong(t *testing.T) {
	calls := fakeSSH(t, "echo 'Permission denied (publickey).' >&2; exit 255")
	cl, err := Connect(context.Background(), Config{Host: "ssh://me@far.example:2222"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	_, err = cl.ContainerList(context.Background(), client.ContainerListOptions{})
	if err == nil || !strings.Contains(err.Error(), "Permission denied (publickey).") || !strings.Contains(err.Error(), "ssh://me@far.example:2222") {
		t.Errorf("error %v", err)
	}
	args, err := os.ReadFile(calls)
	if err != nil || !strings.HasPrefix(string(args), "-T\n-o\nConnectTimeout=30\n-l\nme\n-p\n2222\n--\nfar.example\nsh -c ") {
		t.Errorf("ssh was called with %q: %v", args, err)
	}
}

func TestSSHHostsThatAreRefused(t *testing.T) {
	for host, want := range map[string]string{
		"ssh://":               "unix://PATH",
		"ssh://me:secret@far":  "no password",
		"ssh://far?identity=x": "must be ssh://",
		"floppy://far":         "unknown kind of host",
	} {
		_, err := Connect(context.Background(), Config{Host: host}, Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", host, err, want)
		}
	}
}

// TestSSHPathIsQuoted pins that a path with a quote stays one word of the far
// side's shell.
func TestSSHPathIsQuoted(t *testing.T) {
	// The far side's berth is a program that prints its words.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "berth"), []byte("#!/bin/sh\nprintf '<%s>' \"$@\" >"+dir+"/words\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	fakeSSH(t, `for last; do :; done; exec sh -c "$last"`)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	cl, err := Connect(context.Background(), Config{Host: "ssh://far/run/it's%20mine; reboot/x.sock"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	cl.Ping(context.Background(), client.PingOptions{}) // nobody answers
	words, err := os.ReadFile(dir + "/words")
	if want := "<-H><unix:///run/it's mine; reboot/x.sock><system><dial-stdio>"; err != nil || string(words) != want {
		t.Errorf("the far side got %s, want %s: %v", words, want, err)
	}
}

// TestDefaultPorts pins docker's ports for hosts that name none.
func TestDefaultPorts(t *testing.T) {
	if defaultPort(TLS{}) != "2375" || defaultPort(TLS{On: true}) != "2376" || defaultPort(TLS{Verify: true}) != "2376" {
		t.Error("not docker's ports")
	}
}
