package api

import (
	"encoding/json"

	"github.com/moby/moby/api/types/container"
)

// words is a list that a client may also give as one string, which is its only word then: commands, and the
// capabilities to add and drop.
type words []string

func (w *words) UnmarshalJSON(text []byte) error {
	var one string
	if len(text) > 0 && text[0] == '"' {
		err := json.Unmarshal(text, &one)
		*w = words{one}
		return err
	}
	return json.Unmarshal(text, (*[]string)(w))
}

// configBody is a container.Config as clients send it.
type configBody struct {
	*container.Config
	Cmd, Entrypoint, Shell words
}

// config is what was sent, nil for nothing.
func (b *configBody) config() *container.Config {
	if b == nil || b.Config == nil && b.Cmd == nil && b.Entrypoint == nil && b.Shell == nil {
		return nil
	}
	c := b.Config
	if c == nil {
		c = &container.Config{}
	}
	c.Cmd, c.Entrypoint, c.Shell = b.Cmd, b.Entrypoint, b.Shell
	return c
}

// hostBody is a container.HostConfig as clients send it.
type hostBody struct {
	*container.HostConfig
	CapAdd, CapDrop words
}

// config is what was sent, nil for nothing.
func (b *hostBody) config() *container.HostConfig {
	if b == nil {
		return nil
	}
	hc := b.HostConfig
	if hc == nil {
		hc = &container.HostConfig{}
	}
	hc.CapAdd, hc.CapDrop = b.CapAdd, b.CapDrop
	return hc
}
