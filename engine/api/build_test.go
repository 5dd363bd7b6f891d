package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"berth/engine/build"

	"github.com/docker/go-units"
	"github.com/moby/buildkit/client"
	apibuild "github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/jsonstream"
)

// builds is a builder that says what it was asked.
type builds struct {
	asked []any
	err   error
	said  string
	sent  string // the body, which is read after something was said
}

func (b *builds) Build(_ context.Context, r build.Request, body io.Reader, report build.Report) error {
	b.asked = append(b.asked, r)
	if b.said != "" {
		report(jsonstream.Message{Stream: b.said})
	}
	if body != nil {
		sent, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		b.sent = string(sent)
	}
	return b.err
}

func (b *builds) Cancel(id string) { b.asked = append(b.asked, id) }

func (b *builds) Prune(_ context.Context, o client.PruneInfo) (apibuild.CachePruneReport, error) {
	b.asked = append(b.asked, o)
	return apibuild.CachePruneReport{CachesDeleted: []string{"x"}, SpaceReclaimed: 7}, b.err
}

func (b *builds) Serve(_ context.Context, conn net.Conn) error {
	_, err := io.WriteString(conn, "grpc")
	return errors.Join(err, conn.Close())
}

func (b *builds) Session(_ context.Context, conn net.Conn, header map[string][]string) error {
	_, err := io.WriteString(conn, "session "+header["X-Docker-Expose-Session-Uuid"][0])
	return errors.Join(err, conn.Close())
}

func TestBuildRequest(t *testing.T) {
	one := "1"
	for query, want := range map[string]build.Request{
		"": {},
		"t=a&t=b:2&dockerfile=d&remote=r&target=t&nocache=1&pull=true&q=1&networkmode=host&platform=linux/amd64": {
			Tags: []string{"a", "b:2"}, Dockerfile: "d", Remote: "r", Target: "t", NoCache: true, Pull: true, Quiet: true, NetworkMode: "host", Platform: "linux/amd64"},
		`buildargs={"a":"1","b":null}&labels={"l":"v"}&cachefrom=["x"]&extrahosts=a:1.2.3.4&extrahosts=b:::1`: {
			Args: map[string]*string{"a": &one, "b": nil}, Labels: map[string]string{"l": "v"}, CacheFrom: []string{"x"}, ExtraHosts: []string{"a:1.2.3.4", "b:::1"}},
		`extrahosts=["a:1.2.3.4"]&ulimits=[{"Name":"nofile","Soft":1,"Hard":2}]&shmsize=5`: {
			ExtraHosts: []string{"a:1.2.3.4"}, Ulimits: []*units.Ulimit{{Name: "nofile", Soft: 1, Hard: 2}}, ShmSize: 5},
		"memory=1&memswap=-1&cpushares=2&cpuperiod=3&cpuquota=4&cpusetcpus=0&cpusetmems=1&cgroupparent=/p": {
			Place: build.Place{CgroupParent: "/p", Memory: 1, MemorySwap: -1, CPUShares: 2, CPUPeriod: 3, CPUQuota: 4, CPUSetCPUs: "0", CPUSetMems: "1"}},
		`version=2&session=s&buildid=i&outputs=[{"Type":"local","Attrs":{"a":"b"}}]`: {
			BuildKit: true, Session: "s", ID: "i", Outputs: []build.Output{{Type: "local", Attrs: map[string]string{"a": "b"}}}},
	} {
		got, err := buildRequest(httptest.NewRequest("POST", "/build?"+query, nil))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", query, got, err)
		}
	}
	for _, bad := range []string{"squash=1", "version=3", "buildargs={", "labels=[]", "memory=x", "platform=a/b/c/d", "ulimits=1"} {
		if _, err := buildRequest(httptest.NewRequest("POST", "/build?"+bad, nil)); statusOf(err) != 400 {
			t.Errorf("%s: %v", bad, err)
		}
	}
	r := httptest.NewRequest("POST", "/build", nil)
	r.Header.Set("X-Registry-Config", "eyJsb2NhbGhvc3Q6NTAwMCI6eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6InAifX0=")
	if got, err := buildRequest(r); err != nil || got.Auth["localhost:5000"].Username != "u" {
		t.Errorf("credentials %+v, %v", got.Auth, err)
	}
}

func TestBuildRoutes(t *testing.T) {
	b := &builds{said: "Step 1/1 : FROM x\n"}
	f := serveParts(t, func(p *parts) { p.builds = buildHandlers{b} })
	if code, body := f.do("POST", "/build", "tar"); code != 200 || body != "{\"stream\":\"Step 1/1 : FROM x\\n\"}" {
		t.Errorf("%d %q", code, body)
	}
	if b.sent != "tar" {
		t.Errorf("the body was %q", b.sent)
	}
	b.err = &build.StepError{Command: "c", Code: 4}
	if _, body := f.do("POST", "/build", "tar"); !strings.Contains(body, `"errorDetail":{"code":4,"message":"The command 'c' returned a non-zero code: 4"},"error":"The command 'c' returned a non-zero code: 4"`) {
		t.Errorf("a command that fails: %q", body)
	}
	b.said, b.err = "", invalid("bad Dockerfile")
	f.expect("POST", "/build", "", 400, "message: bad Dockerfile")
	f.expect("POST", "/build/cancel", "", 400, "message: build ID not provided")
	b.asked, b.err = nil, nil
	f.expect("POST", "/build/cancel?id=i", "", 200, "")
	f.expect("POST", `/build/prune?all=1&keep-storage=5&filters={"until":{"24h":true},"type":{"regular":true},"inuse":{"true":true}}`, "", 200, `{"CachesDeleted":["x"],"SpaceReclaimed":7}`)
	want := []any{"i", client.PruneInfo{All: true, ReservedSpace: 5, KeepDuration: 24 * 3600e9, Filter: []string{`type=="regular",inuse`}}}
	if !reflect.DeepEqual(b.asked, want) {
		t.Errorf("asked %+v", b.asked)
	}
	f.expect("POST", `/build/prune?filters={"nope":{"x":true}}`, "", 400, "message: invalid filter 'nope'")
	f.expect("POST", "/grpc", "", 400, "message: no upgrade proto in request")
	for path, want := range map[string]string{"/grpc": "grpc", "/session": "session u"} {
		conn, err := net.Dial("unix", f.socket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nX-Docker-Expose-Session-Uuid: u\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 101 ") || !strings.HasSuffix(string(got), "\r\n\r\n"+want) {
			t.Errorf("%s: %q, %v", path, got, err)
		}
		conn.Close()
	}
}
