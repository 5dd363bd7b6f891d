package plainjson

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// config is a document such as engines write.
const config = `{
	"ociVersion": "1.3.0",
	"process": {"terminal": true, "user": {"uid": 0, "gid": 7, "additionalGids": [1, 2]}, "args": ["sh", "-c", "a \u0026\u0026 b\t\"c\" \u00e9 é"],
		"env": ["PATH=/usr/bin:/bin"], "cwd": "/", "noNewPrivileges": true, "oomScoreAdj": -500,
		"capabilities": {"bounding": ["CAP_KILL"], "ambient": []}, "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 18446744073709551615, "soft": 1024}]},
	"root": {"path": "rootfs", "readonly": true}, "hostname": "h", "annotations": {"a": "b", "c": ""},
	"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/x", "options": ["ro", "rbind"], "source": "/y"}],
	"hooks": {"poststart": [{"path": "/bin/true", "timeout": 3, "args": ["true"]}]},
	"linux": {"resources": {"devices": [{"allow": false, "access": "rwm", "major": 3}], "memory": {"limit": 9223372036854775807, "swap": -1},
			"unified": {"memory.high": "1"}, "pids": {"limit": 10}},
		"namespaces": [{"type": "pid"}, {"type": "network", "path": "/run/x"}],
		"devices": [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 438, "uid": 1}],
		"seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"],
			"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]},
		"timeOffsets": {"monotonic": {"secs": -1, "nanosecs": 5}}, "maskedPaths": null, "readonlyPaths": ["/proc/sys"]},
	"what nobody knows": [{"x": [1, -2, true, false, null, "s", {}, []]}]
}`

func TestConfigIsPlain(t *testing.T) {
	var got, want specs.Spec
	d := decoder{data: []byte(config)}
	if !d.value(reflect.ValueOf(&got).Elem()) || !d.end() {
		t.Fatalf("not understood from %q", config[d.at:])
	}
	if err := json.Unmarshal([]byte(config), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	e := encoder{}
	if !e.value(reflect.ValueOf(got.Linux)) || !e.value(reflect.ValueOf(plain{})) {
		t.Errorf("not written beyond %s", e.out)
	}
}

// strange has what specs has not.
type strange struct {
	Int8     int8
	Uint16   *uint16
	Float    float64
	Any      any
	Bytes    []byte
	Nested   map[string]map[string][]*int
	Time     time.Time
	When     *time.Time `json:",omitempty"`
	Named    level
	Keys     map[level]int
	Quoted   int    `json:",string"`
	Ignored  string `json:"-"`
	Array    [2]int
	Mode     os.FileMode
	Inner    struct{ A, a int }
	Pointers **string
	Raw      json.RawMessage
	*plain
}

// plain is what of it is plain.
type plain struct {
	Int8   int8              `json:"int8,omitempty"`
	Uint16 *uint16           `json:"uint16"`
	Nested map[string][]*int `json:"nested,omitempty"`
	Time   time.Time         `json:"time"`
	When   *time.Time        `json:"when,omitempty"`
	Mode   os.FileMode       `json:"mode"`
	Inner  struct{ A, a int }
	Twice  **string          `json:"twice"`
	Words  map[string]string `json:"words"`
	List   [][]string        `json:"list"`
	embedded
	Last int `json:"last"`
}

type embedded struct {
	First string `json:"first"`
	Deeper
}

// Deeper is embedded, too.
type Deeper struct{ Deep []int }

// hidden has a field twice.
type hidden struct {
	First int `json:"first"`
	embedded
}

// level writes itself.
type level string

func (l level) MarshalText() ([]byte, error) { return []byte("level " + l), nil }
func (l *level) UnmarshalText(b []byte) error {
	*l = level(strings.TrimPrefix(string(b), "level "))
	return nil
}

// same holds Unmarshal and Marshal against encoding/json.
func same[T any](t *testing.T, data []byte) {
	t.Helper()
	var got, want T
	gotErr, wantErr := Unmarshal(data, &got), json.Unmarshal(data, &want)
	if (gotErr == nil) != (wantErr == nil) || gotErr != nil && gotErr.Error() != wantErr.Error() {
		t.Fatalf("error %v, want %v, of %q", gotErr, wantErr, data)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%q gives %+v, want %+v", data, got, want)
	}
	out, gotErr := Marshal(got)
	wanted, wantErr := json.Marshal(got)
	if (gotErr == nil) != (wantErr == nil) || string(out) != string(wanted) {
		t.Fatalf("%q (%v), want %q (%v)", out, gotErr, wanted, wantErr)
	}
}

var documents = []string{
	config, "", " ", "null", "{}", "[]", "{", `{"int8"`, `{"int8":}`, `{"int8":1,}`, `{"int8":1}x`, `{"int8":1}{}`, `{"INT8":1}`, `{"int8":1,"int8":2}`,
	`{"process":{"args":["a"]},"process":{"env":["b"]}}`, `{"Process":{"cwd":"/"}}`, `{"proceſs":{}}`, `{"int8":128}`, `{"first":"a","Deep":[1],"last":2}`, `{"embedded":{"first":"a"}}`, `{"first":5}`, `{"int8":-128}`, `{"int8":01}`, `{"int8":-0}`,
	`{"int8":1.0}`, `{"int8":1e1}`, `{"int8":"1"}`, `{"uint16":-1}`, `{"uint16":65535}`, `{"Float":1.5}`, `{"Any":{"a":[1]}}`, `{"Any":null}`, `{"Bytes":"AQI="}`,
	`{"Nested":{"a":{"b":[1,null,2]}}}`, `{"nested":{"a":[1,null]},"list":[[],null,["a","b"]]}`, `{"time":"2026-01-02T03:04:05.000000006Z"}`, `{"time":"2026-01-02T03:04:05+02:00"}`,
	`{"time":"2026-01-02T3:04:05Z"}`, `{"time":"2026-01-02T03:04:05.10Z"}`, `{"time":1}`, `{"when":"2026-12-31T23:59:60Z"}`, `{"Named":"level x","Keys":{"level a":1}}`,
	`{"Quoted":"5"}`, `{"Quoted":5}`, `{"Ignored":"x","-":"y"}`, `{"Array":[1,2,3]}`, `{"Mode":5,"Inner":{"A":1,"a":2}}`, `{"mode":511,"Inner":{"A":1}}`,
	`{"Pointers":"x"}`, `{"twice":"x"}`, `{"twice":null}`, `{"Raw":{"a" : 1}}`, "{\"hostname\":\"\xff\"}", `{"hostname":"\ud800"}`, `{"hostname":"\ud83d\ude00"}`,
	`{"hostname":"\u0000\/\b\f\n\r\t\\\""}`, `{"hostname":"a\"}`, `{"hostname":"\x"}`, `{"hostname":"\u12"}`, "{\"hostname\":\"a\nb\"}", `{"hostname":"` + "\u2028<>&\x7f" + `"}`,
	`{"\u0068ostname":"x"}`, `{"hostname":true}`, `{"hostname":null}`, `{"process":[]}`, `{"process":null}`, `{"mounts":{}}`, `{"mounts":[null,{}]}`,
	`{"unknown":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, `{"unknown":` + strings.Repeat("[", 20000), `{"unknown":tru}`, `{"unknown":1.5e-3}`, `{"unknown":"` + "\x01" + `"}`,
	`{"linux":{"resources":{"blockIO":{"weightDevice":[{"major":1,"minor":2,"weight":3}]}}}}`, `{"windows":{"credentialSpec":{"a":1}}}`,
	`{"linux":{"intelRdt":{"l3CacheSchema":"x"}},"words":{"b":"1","a":"<"}}`, "\ufeff{}", "{\"hostname\"\v:\"\"}", `{"annotations":{"a":"1","a":"2","é":"3"}}`,
}

func TestSameAsEncodingJSON(t *testing.T) {
	for _, doc := range documents {
		for range 2 {
			same[specs.Spec](t, []byte(doc))
			same[*specs.Spec](t, []byte(doc))
			same[strange](t, []byte(doc))
			same[plain](t, []byte(doc))
			same[any](t, []byte(doc))
			same[hidden](t, []byte(doc))
			same[[]plain](t, []byte("["+doc+"]"))
			doc = " \t\r\n" + doc + "\n"
		}
	}
}

func TestMarshalSameAsEncodingJSON(t *testing.T) {
	now := time.Now()
	for _, v := range []any{
		nil, 1, "x", math.NaN(), plain{Time: now}, plain{Time: now.UTC(), When: &now}, plain{Time: time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)},
		plain{Time: time.Date(2000, 1, 1, 0, 0, 0, 0, time.FixedZone("", 30))}, plain{Time: time.Date(2000, 1, 1, 0, 0, 0, 0, time.FixedZone("", 24*3600))},
		&plain{Words: map[string]string{"\xff": "\"\\\n", "b": "\x01", "a": ""}}, map[int]int{1: 2}, []byte("x"), []level{"x"}, (*level)(nil), (*plain)(nil), make(chan int), []func(){nil},
		map[string]plain{"b": {}, "a": {}}, [1]int{2}, specs.Spec{}, level("x"), struct{ A *level }{},
	} {
		got, gotErr := Marshal(v)
		want, wantErr := json.Marshal(v)
		if string(got) != string(want) || (gotErr == nil) != (wantErr == nil) {
			t.Errorf("%q (%v), want %q (%v)", got, gotErr, want, wantErr)
		}
	}
	if err := Unmarshal([]byte("{}"), plain{}); err == nil {
		t.Error("no error for a target that is no pointer")
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, doc := range documents {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		same[specs.Spec](t, data)
		same[specs.Process](t, data)
		same[strange](t, data)
		same[plain](t, data)
	})
}
