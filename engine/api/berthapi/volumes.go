package berthapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
)

// Volume is a volume that was made or filled.
type Volume struct {
	Name string `json:"Name"`
}

// VolumeEntries yields what is directly in a directory of a volume, by name; of a file, the file.
func (c *Client) VolumeEntries(ctx context.Context, name, path string) iter.Seq2[Entry, error] {
	return lines[Entry](ctx, c, volumePath(name)+"/entries", url.Values{"path": {path}})
}

// VolumeFile opens a regular file of a volume; links are followed within the volume.
func (c *Client) VolumeFile(ctx context.Context, name, path string) (io.ReadCloser, error) {
	return c.get(ctx, volumePath(name)+"/file", url.Values{"path": {path}})
}

// VolumeExport opens what a volume holds as a tar.
func (c *Client) VolumeExport(ctx context.Context, name string) (io.ReadCloser, error) {
	return c.get(ctx, volumePath(name)+"/archive", nil)
}

// VolumeImport unpacks a tar, which may be compressed, into a volume, which is made if it is not there. With force also
// over what the volume holds, and while containers use it.
func (c *Client) VolumeImport(ctx context.Context, name string, tar io.Reader, force bool) (Volume, error) {
	target := "http://berth" + volumePath(name) + "/archive"
	if force {
		target += "?force=1"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, target, io.NopCloser(tar))
	if err != nil {
		return Volume{}, fmt.Errorf("asking the engine to import into %s: %w", name, err)
	}
	req.Header.Set("Content-Type", "application/x-tar")
	body, err := c.do(req)
	return volumeIn(body, err)
}

// VolumeClone makes the volume to with what the volume from holds.
func (c *Client) VolumeClone(ctx context.Context, from, to string) (Volume, error) {
	body, err := c.send(ctx, http.MethodPost, volumePath(from)+"/clone", url.Values{"to": {to}})
	return volumeIn(body, err)
}

func volumeIn(body io.ReadCloser, err error) (v Volume, _ error) {
	if err != nil {
		return v, err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&v); err != nil {
		return v, fmt.Errorf("reading the engine's answer about a volume: %w", err)
	}
	return v, nil
}

func volumePath(name string) string { return "/berth/volumes/" + url.PathEscape(name) }
