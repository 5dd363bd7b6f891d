package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"
)

// TestUsageInDetail pins docker's form: an image by one name, sums with four digits, and what the build cache holds.
func TestUsageInDetail(t *testing.T) {
	ago := time.Now().Add(-time.Hour)
	var out bytes.Buffer
	a := &app{out: &out}
	err := a.usageInDetail(client.DiskUsageResult{
		Images: client.ImagesDiskUsage{Items: []image.Summary{{
			ID: "sha256:" + strings.Repeat("1", 64), RepoTags: []string{"a:1", "b:2"}, Created: ago.Unix(), Size: 131_486_785, SharedSize: 1_234_567, Containers: 2,
		}}},
		BuildCache: client.BuildCacheDiskUsage{TotalSize: 131_486_785, Items: []build.CacheRecord{
			{ID: strings.Repeat("c", 25), Type: "regular", InUse: true, Size: 4096, CreatedAt: ago, UsageCount: 3}, {ID: "d", Type: "internal", CreatedAt: ago, LastUsedAt: &ago, Shared: true},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"a            1         111111111111   About an hour ago   131MB     1.235MB       130.3MB       2\n",
		"Build cache usage: 131.5MB\n\n",
		"cccccccccccc*   regular      4.1kB     About an hour ago                       3         false\n",
		"d               internal     0B        About an hour ago   About an hour ago   0         true\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\nb ") {
		t.Errorf("an image twice:\n%s", out.String())
	}
}
