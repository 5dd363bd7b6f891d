package api

import "testing"

// TestPlatformsOfImages asks for images of a platform: there is one of each name here, and another platform's is not
// found. What a version of the API did not know is ignored.
func TestPlatformsOfImages(t *testing.T) {
	f := serve(t)
	const linux, windows = `%7B%22os%22:%22linux%22,%22architecture%22:%22amd64%22%7D`, `%7B%22os%22:%22windows%22,%22architecture%22:%22amd64%22%7D`
	const missing = "message: app is for linux"
	for _, c := range []struct {
		target string
		status int
		want   string
	}{
		{"/v1.49/images/app/json?platform=" + windows, 404, missing},
		{"/v1.49/images/app/json?manifests=1&platform=" + linux, 400, "message: conflicting options: manifests and platform options cannot both be set"},
		{"/v1.49/images/app/json?platform=%7B", 400, "message: failed to parse platform: unexpected end of JSON input"},
		{"/v1.49/images/app/json?platform=%7B%22os%22:%22linux%22%7D", 400, "message: both OS and Architecture must be provided"},
		{"/v1.48/images/app/history?platform=" + windows, 404, missing},
		{"/v1.48/images/get?names=app&platform=" + windows, 404, missing},
		{"/v1.48/images/app/get?platform=" + windows, 404, missing},
		{"/v1.48/images/get?names=app&platform=" + linux + "&platform=" + windows, 400, "message: multiple platform parameters not supported"},
	} {
		f.expect("GET", c.target, "", c.status, c.want)
	}
	for _, target := range []string{"/v1.48/images/app/json?platform=" + windows, "/v1.49/images/app/json?platform=" + linux, "/v1.47/images/app/history?platform=" + windows} {
		if status, body := f.do("GET", target, ""); status != 200 {
			t.Errorf("%s: %d %s", target, status, body)
		}
	}
}

// TestLinkedNames asks for a container by what another one calls it.
func TestLinkedNames(t *testing.T) {
	f := serve(t)
	if status, body := f.do("GET", "/containers/web/store/json", ""); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	f.expect("GET", "/containers/web/store/none", "", 404, "message: page not found")
}
