//go:build !client

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"berth/tui/text"
)

// lists are the words that list something.
func (p *plain) lists() map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"containers": p.containers, "images": p.images, "volumes": p.volumes, "networks": p.networks, "ports": p.ports,
	}
}

// tell writes a list: how many there are, then a numbered sentence for each. names are
// what the numbers stand for from now on.
func (p *plain) tell(what, teach string, names, rows []string) {
	p.names = names
	if len(rows) == 0 {
		fmt.Fprintf(p.app.out, "No %ss. %s\n", what, teach)
		return
	}
	plural := "s"
	if len(rows) == 1 {
		plural = ""
	}
	fmt.Fprintf(p.app.out, "%d %s%s.\n", len(rows), what, plural)
	for i, row := range rows {
		fmt.Fprintf(p.app.out, "%d. %s.\n", i+1, text.Clean(row))
	}
}

func (p *plain) containers(ctx context.Context) error {
	res, err := p.cl.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return err
	}
	var names, rows []string
	for _, c := range res.Items {
		names = append(names, nameOf(c))
		row := fmt.Sprintf("%s: %s, image %s", nameOf(c), c.Status, c.Image)
		if ports := published(c); len(ports) > 0 {
			row += ", port " + strings.Join(ports, " and ")
		}
		rows = append(rows, row)
	}
	p.tell("container", "A first one: image starter, then run -it berth/starter sh", names, rows)
	return nil
}

// nameOf is what a container is called.
func nameOf(c container.Summary) string {
	if len(c.Names) == 0 {
		return c.ID[:min(12, len(c.ID))]
	}
	return strings.TrimPrefix(c.Names[0], "/")
}

// published are the ports of a container in words, each once.
func published(c container.Summary) []string {
	var out []string
	for _, port := range c.Ports {
		if say := fmt.Sprintf("%d to %d %s", port.PublicPort, port.PrivatePort, port.Type); port.PublicPort != 0 && !slices.Contains(out, say) {
			out = append(out, say)
		}
	}
	return out
}

func (p *plain) images(ctx context.Context) error {
	res, err := p.cl.ImageList(ctx, client.ImageListOptions{})
	if err != nil {
		return err
	}
	var names, rows []string
	for _, i := range res.Items {
		name := strings.TrimPrefix(i.ID, "sha256:")[:12]
		if len(i.RepoTags) > 0 {
			name = i.RepoTags[0]
		}
		names = append(names, name)
		rows = append(rows, fmt.Sprintf("%s: %s, tags: %s", name, units.HumanSize(float64(i.Size)), strings.Join(i.RepoTags, " ")))
	}
	p.tell("image", "image starter makes a small one; pull debian and load -i file.tar bring others", names, rows)
	return nil
}

func (p *plain) volumes(ctx context.Context) error {
	res, err := p.cl.VolumeList(ctx, client.VolumeListOptions{})
	if err != nil {
		return err
	}
	var names, rows []string
	for _, v := range res.Items {
		names = append(names, v.Name)
		rows = append(rows, v.Name+": driver "+v.Driver)
	}
	p.tell("volume", "volume create data makes one", names, rows)
	return nil
}

func (p *plain) networks(ctx context.Context) error {
	res, err := p.cl.NetworkList(ctx, client.NetworkListOptions{})
	if err != nil {
		return err
	}
	var names, rows []string
	for _, n := range res.Items {
		names = append(names, n.Name)
		row := n.Name + ": driver " + n.Driver
		for _, c := range n.IPAM.Config {
			row += ", subnet " + c.Subnet.String()
		}
		rows = append(rows, row)
	}
	p.tell("network", "network create back makes one", names, rows)
	return nil
}

func (p *plain) ports(ctx context.Context) error {
	res, err := p.cl.ContainerList(ctx, client.ContainerListOptions{})
	if err != nil {
		return err
	}
	var names, rows []string
	for _, c := range res.Items {
		for _, port := range published(c) {
			names = append(names, nameOf(c))
			rows = append(rows, fmt.Sprintf("%s of %s", port, nameOf(c)))
		}
	}
	p.tell("published port", "run -p 8080:80 publishes one", names, rows)
	return nil
}
