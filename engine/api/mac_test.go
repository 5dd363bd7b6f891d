package api_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// Until 1.52 the configuration shows the address that was asked for, of the container or of its endpoint, and never one
// that the container got without asking.
func TestConfiguredMACAddress(t *testing.T) {
	r := newRig(t)
	caller := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", r.socket)
	}}}
	answer := func(method, path, body string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "http://berth"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := caller.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode >= 300 {
			t.Fatalf("%s %s: %s %s, %v", method, path, resp.Status, text, err)
		}
		return string(text)
	}
	for name, body := range map[string]string{
		"own":      `"MacAddress":"02:00:00:00:00:01"`,
		"endpoint": `"NetworkingConfig":{"EndpointsConfig":{"bridge":{"MacAddress":"02:00:00:00:00:01"}}}`,
		"any":      `"Labels":{}`,
	} {
		answer("POST", "/v1.43/containers/create?name="+name, `{"Image":"busybox","Cmd":["sleep","1000"],`+body+`}`)
		for _, state := range []string{"created", "running"} {
			if state == "running" {
				answer("POST", "/v1.43/containers/"+name+"/start", "")
			}
			for version, shown := range map[string]bool{"v1.43": true, "v1.51": true, "v1.52": false} {
				want := ""
				if shown && name != "any" {
					want = "02:00:00:00:00:01"
				}
				var got struct {
					State  struct{ Status string }
					Config struct{ MacAddress string }
				}
				if err := json.Unmarshal([]byte(answer("GET", "/"+version+"/containers/"+name+"/json", "")), &got); err != nil {
					t.Fatal(err)
				}
				if got.Config.MacAddress != want || got.State.Status != state {
					t.Errorf("%s %s at %s: %+v", state, name, version, got)
				}
			}
		}
	}
}
