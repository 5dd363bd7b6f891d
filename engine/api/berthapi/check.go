package berthapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Check is what a check of the store found. Faults is empty if all is well.
type Check struct {
	Images int     `json:"Images"`
	Layers int     `json:"Layers"`
	Blobs  int     `json:"Blobs"`
	Bytes  int64   `json:"Bytes"` // of the blobs that were read
	Faults []Fault `json:"Faults"`
}

// Fault is something wrong in the store.
type Fault struct {
	// What is blob, layer, image, name, record (of something that does not exist) or leftover (a file nothing knows of).
	What string `json:"What"`
	// ID is a digest, the chain ID of a layer, an image's ID, a name, or a path.
	ID    string `json:"ID"`
	Error string `json:"Error"`
	// Images are the names, or IDs, of those that need it.
	Images []string `json:"Images,omitempty"`
	// Mended says what was done about it; "" is nothing.
	Mended string `json:"Mended,omitempty"`
}

// Check lets the engine read its whole store again; with repair, what is damaged is mended or removed.
func (c *Client) Check(ctx context.Context, repair bool) (Check, error) {
	method, path := http.MethodGet, "/berth/system/check"
	if repair {
		method = http.MethodPost
	}
	var out Check
	body, err := c.send(ctx, method, path, nil)
	if err != nil {
		return out, err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&out); err != nil {
		return out, fmt.Errorf("reading the engine's answer to %s: %w", path, err)
	}
	return out, nil
}
