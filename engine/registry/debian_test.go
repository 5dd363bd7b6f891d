package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/engine/registry/registrytest"
	storeimage "berth/store/image"
)

// The registry of these tests is Debian's docker-registry, a process of its
// own: it shows that what is sent is what a registry takes.

// serve starts docker-registry and returns its address.
func serve(t *testing.T, o registrytest.Options) string {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := registrytest.Start(o)
	if errors.Is(err, registrytest.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s.Addr
}

// load brings an image with these layers, uncompressed, into the store.
func (r *rig) load(name string, layers ...[]byte) {
	r.t.Helper()
	lease := r.store.Images.Lease()
	defer lease.Release()
	config := ocispec.Image{Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"}, RootFS: ocispec.RootFS{Type: "layers"}}
	in := storeimage.Incoming{}
	for _, l := range layers {
		id := digest.FromBytes(l)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, id)
		in.Layers = append(in.Layers, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: id, Size: int64(len(l))})
		in.Blobs = append(in.Blobs, l)
	}
	doc, err := json.Marshal(config)
	if err != nil {
		r.t.Fatal(err)
	}
	in.Config = ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(doc), Size: int64(len(doc))}
	in.Blobs = append(in.Blobs, doc)
	if _, err := r.store.Images.Receive(r.t.Context(), in, name); err != nil {
		r.t.Fatal(err)
	}
}

func TestPushAndPullBack(t *testing.T) {
	host := serve(t, registrytest.Options{})
	r := newRig(t, Config{})
	a, b := tarOf(t, "a", strings.Repeat("one ", 10_000)), tarOf(t, "b", "two")
	name := host + "/team/app:1"
	r.load(name, a, b, b) // a layer twice, as empty ones often are
	if err := r.push(name, PushOptions{}); err != nil {
		t.Fatal(err)
	}
	lines := r.lines()
	for _, want := range []string{
		"The push refers to repository [" + host + "/team/app]",
		short(digest.FromBytes(a)) + ": Preparing", short(digest.FromBytes(a)) + ": Pushed", "1: digest: sha256:",
	} {
		if !strings.Contains(lines, want) {
			t.Errorf("no %q in\n%s", want, lines)
		}
	}
	pushed, err := r.store.Images.Resolve(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if pushed.Manifest == nil || pushed.RepoDigests[0] != host+"/team/app@"+pushed.Manifest.Digest.String() {
		t.Errorf("after the push: manifest %v, digests %q", pushed.Manifest, pushed.RepoDigests)
	}
	// The compressed layers are known from now on: nothing is compressed or sent.
	if err := r.push(name, PushOptions{}); err != nil {
		t.Fatal(err)
	}
	if lines := r.lines(); strings.Count(lines, ": Layer already exists") != 3 {
		t.Errorf("second push:\n%s", lines)
	}
	// To another repository of the registry they are linked.
	if err := r.store.Images.Tag(t.Context(), name, host+"/other:1"); err != nil {
		t.Fatal(err)
	}
	if err := r.push(host+"/other:1", PushOptions{}); err != nil {
		t.Fatal(err)
	}
	if lines := r.lines(); strings.Count(lines, ": Mounted from team/app") != 3 {
		t.Errorf("push to another repository:\n%s", lines)
	}
	other := newRig(t, Config{})
	for _, from := range []string{name, host + "/other@" + pushed.Manifest.Digest.String()} {
		if err := other.pull(from, PullOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	back, err := other.store.Images.Resolve(t.Context(), name)
	if err != nil || back.ID != pushed.ID || len(back.RepoDigests) != 2 {
		t.Errorf("pulled back %s %q, %v; want %s", back.ID, back.RepoDigests, err, pushed.ID)
	}
}

func TestAllTags(t *testing.T) {
	host := serve(t, registrytest.Options{})
	r := newRig(t, Config{})
	repo := host + "/app"
	r.load(repo+":1", tarOf(t, "a", "1"))
	r.load(repo+":2", tarOf(t, "a", "2"))
	if err := r.push(repo, PushOptions{All: true}); err != nil {
		t.Fatal(err)
	}
	if lines := r.lines(); strings.Count(lines, ": digest: sha256:") != 2 || strings.Count(lines, "The push refers") != 1 {
		t.Errorf("said\n%s", lines)
	}
	other := newRig(t, Config{})
	if err := other.pull(repo, PullOptions{All: true}); err != nil {
		t.Fatal(err)
	}
	if lines := other.lines(); !strings.HasSuffix(lines, "Status: Downloaded newer image for "+repo) || other.left()["images"] != 2 {
		t.Errorf("said\n%s", lines)
	}
	for ref, want := range map[string]string{
		host + "/absent": "An image does not exist locally with the tag: " + host + "/absent",
		repo + ":absent": "tag does not exist: " + repo + ":absent",
	} {
		if err := r.push(ref, PushOptions{}); err == nil || err.Error() != want {
			t.Errorf("push %s: %v, want %q", ref, err, want)
		}
	}
}

func TestPasswords(t *testing.T) {
	host := serve(t, registrytest.Options{Passwords: true})
	r := newRig(t, Config{})
	good, bad := Auth{Username: registrytest.User, Password: registrytest.Password, ServerAddress: host}, Auth{Username: registrytest.User, Password: "wrong", ServerAddress: host}
	if token, err := r.Login(t.Context(), good); err != nil || token != "" {
		t.Errorf("login: token %q, %v", token, err)
	}
	if _, err := r.Login(t.Context(), bad); !errdefs.IsUnauthorized(err) || !strings.HasSuffix(err.Error(), "/v2/ failed with status: 401 Unauthorized") {
		t.Errorf("login with a wrong password: %v", err)
	}
	name := host + "/app:1"
	r.load(name, tarOf(t, "a", "1"))
	for _, c := range []struct {
		auth Auth
		want string
	}{{Auth{}, "no basic auth credentials"}, {bad, "unauthorized: authentication required"}, {good, ""}} {
		err := r.push(name, PushOptions{Auth: c.auth})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("push as %q: %v, want %q", c.auth.Password, err, c.want)
		}
	}
	if err := newRig(t, Config{}).pull(name, PullOptions{Auth: good}); err != nil {
		t.Error(err)
	}
}

// authority makes a CA and a certificate for host, and returns the CA's file.
func authority(t *testing.T, dir, host string) (ca string) {
	t.Helper()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, DNSNames: []string{host},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write("server.key", "EC PRIVATE KEY", secret)
	return write("server.crt", "CERTIFICATE", der)
}

func TestCertificates(t *testing.T) {
	// A name that is not of loopback, which needs none to be right.
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if addrs, err := net.LookupHost(hostname); err != nil || !slices.ContainsFunc(addrs, func(a string) bool { return strings.HasPrefix(a, "127.") }) {
		t.Skipf("this machine's name %s does not lead to loopback: %v %v", hostname, addrs, err)
	}
	dir := t.TempDir()
	ca := authority(t, dir, hostname)
	addr := serve(t, registrytest.Options{CertFile: ca, KeyFile: filepath.Join(dir, "server.key")})
	_, port, _ := net.SplitHostPort(addr)
	host := net.JoinHostPort(hostname, port)
	name := host + "/app:1"
	certs := filepath.Join(dir, "certs.d", host)
	if err := os.MkdirAll(certs, 0o700); err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(certs, "ca.crt"), pem, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"unknown authority", Config{}, "certificate signed by unknown authority"},
		{"certs.d", Config{CertDirs: []string{"/nonexistent", filepath.Join(dir, "certs.d")}}, ""},
		{"insecure", Config{Insecure: []string{host}}, ""},
		{"insecure network", Config{Insecure: []string{"127.0.0.0/8"}}, ""},
	} {
		r := newRig(t, c.cfg)
		r.load(name, tarOf(t, "a", "1"))
		err := r.push(name, PushOptions{})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	// Half of a client's pair is told of by the name of what is missing.
	for have, want := range map[string]string{
		"client.cert": "missing key client.key for client certificate client.cert",
		"client.key":  "missing client certificate client.cert for key client.key",
	} {
		half := filepath.Join(certs, have)
		if err := os.WriteFile(half, pem, 0o600); err != nil {
			t.Fatal(err)
		}
		err := newRig(t, Config{CertDirs: []string{filepath.Join(dir, "certs.d")}}).pull(name, PullOptions{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with %s alone: %v, want %q", have, err, want)
		}
		if err := os.Remove(half); err != nil {
			t.Fatal(err)
		}
	}
	// On loopback any certificate will do.
	if err := newRig(t, Config{}).pull("127.0.0.1:"+port+"/app:1", PullOptions{}); err != nil {
		t.Errorf("loopback: %v", err)
	}
}

func TestSkopeoWritesWhatIsPulledAndReadsWhatIsPushed(t *testing.T) {
	skopeo, err := exec.LookPath("skopeo")
	if err != nil {
		t.Skip("skopeo is not installed")
	}
	host := serve(t, registrytest.Options{})
	r := newRig(t, Config{})
	name := host + "/app"
	r.load(name+":1", tarOf(t, "a", strings.Repeat("one ", 10_000)), tarOf(t, "b", "two"))
	if err := r.push(name+":1", PushOptions{}); err != nil {
		t.Fatal(err)
	}
	for format, args := range map[string][]string{
		"zstd": {"--dest-compress-format", "zstd", "--format", "oci"}, "oci": {"--format", "oci"}, "v2s2": {"--format", "v2s2"},
	} {
		copying := []string{"copy", "-q", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false"}
		// Uncompressed in between, so that skopeo compresses anew.
		plain, packed := "dir:"+filepath.Join(t.TempDir(), "plain"), "dir:"+filepath.Join(t.TempDir(), "packed")
		for _, way := range [][]string{
			append(slices.Clone(copying), "--dest-decompress", "docker://"+name+":1", plain),
			append(append(slices.Clone(copying), args...), "--dest-compress", plain, packed),
			append(slices.Clone(copying), "--preserve-digests", packed, "docker://"+name+"-"+format+":1"),
		} {
			if out, err := exec.Command(skopeo, way...).CombinedOutput(); err != nil {
				t.Fatalf("skopeo %v: %v\n%s", way, err, out)
			}
		}
		other := newRig(t, Config{})
		if err := other.pull(name+"-"+format+":1", PullOptions{}); err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		img, err := other.store.Images.Resolve(t.Context(), name+"-"+format+":1")
		if err != nil {
			t.Fatal(err)
		}
		if zstd := img.Layers[0].Descriptor.MediaType == ocispec.MediaTypeImageLayerZstd; zstd != (format == "zstd") {
			t.Errorf("%s: layers of type %s", format, img.Layers[0].Descriptor.MediaType)
		}
		// Pushed on, it keeps its manifest, and so its digest.
		if err := other.store.Images.Tag(t.Context(), name+"-"+format+":1", name+"-again:"+format); err != nil {
			t.Fatal(err)
		}
		if err := other.push(name+"-again:"+format, PushOptions{}); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		again, err := other.Inspect(t.Context(), named(t, name+"-again:"+format), Auth{})
		if err != nil || again.Descriptor.Digest != img.Manifest.Digest {
			t.Errorf("%s: the registry has the manifest %s, want %s: %v", format, again.Descriptor.Digest, img.Manifest.Digest, err)
		}
	}
}
