package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/output"
)

func newInspect(a *app) *cobra.Command {
	var format, kind string
	var size bool
	c := &cobra.Command{
		Use:   "inspect [flags] NAME...",
		Short: "Show everything about containers, images, networks and volumes",
		Args:  args(1, -1, "inspect needs a name or an ID"),
		RunE: func(c *cobra.Command, refs []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			return a.inspect(refs, format, func(ref string) (json.RawMessage, error) {
				return inspectAny(c.Context(), cl, ref, kind, size)
			})
		},
	}
	c.Flags().StringVarP(&format, "format", "f", "", "json or a Go template")
	c.Flags().BoolVarP(&size, "size", "s", false, "show the size of a container")
	c.Flags().StringVar(&kind, "type", "", "only container, image, network or volume")
	return c
}

// inspectors ask for one kind of object each, in docker's order.
var inspectors = []struct {
	kind string
	get  func(ctx context.Context, cl *connect.Client, ref string, size bool) (json.RawMessage, error)
}{
	{"container", func(ctx context.Context, cl *connect.Client, ref string, size bool) (json.RawMessage, error) {
		res, err := cl.ContainerInspect(ctx, ref, client.ContainerInspectOptions{Size: size})
		return res.Raw, err
	}},
	{"image", func(ctx context.Context, cl *connect.Client, ref string, _ bool) (json.RawMessage, error) {
		var raw bytes.Buffer
		_, err := cl.ImageInspect(ctx, ref, client.ImageInspectWithRawResponse(&raw))
		return raw.Bytes(), err
	}},
	{"network", func(ctx context.Context, cl *connect.Client, ref string, _ bool) (json.RawMessage, error) {
		res, err := cl.NetworkInspect(ctx, ref, client.NetworkInspectOptions{})
		return res.Raw, err
	}},
	{"volume", func(ctx context.Context, cl *connect.Client, ref string, _ bool) (json.RawMessage, error) {
		res, err := cl.VolumeInspect(ctx, ref, client.VolumeInspectOptions{})
		return res.Raw, err
	}},
}

// inspectAny finds the first object called ref; kind narrows it to one kind.
func inspectAny(ctx context.Context, cl *connect.Client, ref, kind string, size bool) (json.RawMessage, error) {
	known := false
	for _, in := range inspectors {
		if kind != "" && kind != in.kind {
			continue
		}
		known = true
		raw, err := in.get(ctx, cl, ref, size)
		if err == nil {
			return raw, nil
		}
		if kind != "" || !cerrdefs.IsNotFound(err) {
			return nil, err
		}
	}
	if !known {
		return nil, fmt.Errorf("--type %s: must be container, image, network or volume", kind)
	}
	return nil, fmt.Errorf("no such object: %s", ref)
}

// inspect prints what get finds for each reference: a JSON list, or every one
// through the template.
func (a *app) inspect(refs []string, format string, get func(ref string) (json.RawMessage, error)) error {
	var errs []error
	var found []json.RawMessage
	for _, ref := range refs {
		raw, err := get(ref)
		if err != nil {
			errs = append(errs, errors.New(message(err)))
			continue
		}
		found = append(found, raw)
	}
	switch format {
	case "", "json":
		if found == nil {
			found = []json.RawMessage{}
		}
		b, err := json.Marshal(found)
		if err != nil {
			return fmt.Errorf("reading the engine's answer: %w", err)
		}
		var out bytes.Buffer
		if format == "" {
			if err := json.Indent(&out, b, "", "    "); err != nil {
				return fmt.Errorf("reading the engine's answer: %w", err)
			}
		} else {
			out.Write(b)
		}
		fmt.Fprintln(a.out, out.String())
	default:
		for _, raw := range found {
			d := json.NewDecoder(bytes.NewReader(raw))
			d.UseNumber()
			var v map[string]any
			if err := d.Decode(&v); err != nil {
				return fmt.Errorf("reading the engine's answer: %w", err)
			}
			respell(v, templateFields.FindAllStringSubmatch(format, -1))
			if err := output.Value(a.out, format, v); err != nil {
				return err
			}
		}
	}
	return errors.Join(errs...)
}

// templateFields finds the names of fields in a template.
var templateFields = regexp.MustCompile(`\.([A-Za-z]\w*)`)

// respell has the values of v, at any depth, under the names that a template has for them, too:
// docker's has those of its Go types, such as ID, DNS and NanoCPUs, which are spelled like
// those of the answer but for upper and lower case.
func respell(v any, names [][]string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			respell(e, names)
		}
	case map[string]any:
		for _, e := range v {
			respell(e, names)
		}
		for _, name := range names {
			if _, ok := v[name[1]]; ok {
				continue
			}
			for key, e := range v {
				if strings.EqualFold(key, name[1]) {
					v[name[1]] = e
					break
				}
			}
		}
	}
}

// newKindInspect is the inspect of one kind of object: "image", "network" or
// "volume".
func newKindInspect(a *app, article, kind string) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "inspect [flags] " + strings.ToUpper(kind) + "...",
		Short: "Show everything about " + kind + "s",
		Args:  args(1, -1, kind+" inspect needs "+article+" "+kind),
		RunE: func(c *cobra.Command, refs []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			return a.inspect(refs, format, func(ref string) (json.RawMessage, error) {
				return inspectAny(c.Context(), cl, ref, kind, false)
			})
		},
	}
	c.Flags().StringVarP(&format, "format", "f", "", "json or a Go template")
	return c
}
