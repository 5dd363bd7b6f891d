package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"berth/tui/picture"
	"berth/tui/tuitest"
)

// TestPicture draws the README's picture (make picture): a console on a few
// containers, with the live difference of one of them. It is a test because the
// robot that drives the console is one's.
func TestPicture(t *testing.T) {
	path := os.Getenv("BERTH_PICTURE")
	if path == "" {
		t.Skip("only for make picture: BERTH_PICTURE names no file")
	}
	r := newRig(t)
	r.images()
	r.berth("run", "-dit", "--name", "shop", "-p", "18080:80", "berth/starter", "sh", "-l")
	r.berth("run", "-d", "--name", "ticker", "berth/starter", "/opt/starter/tick")
	r.berth("run", "-d", "--name", "website", "-p", "18081:80", "berth/starter", "httpd", "-f", "-h", "/srv/www")
	r.berth("run", "--name", "migrate", "busybox", "true")
	r.try("run", "--name", "import", "busybox", "sh", "-c", "exit 3")

	c := tuitest.Start(t, r.command(), 132, 38)
	c.WaitFor("shop", "ticker", "website")
	c.WaitFor("migrate", "import")
	c.Press("g")
	c.WaitFor("containers ▸ shop")
	c.Press("E")
	c.WaitFor("/ #")
	c.Type("echo workers = 16 >> /etc/starter.conf; mkdir -p /srv/cart; echo 1 > /srv/cart/items; rm /etc/group\n")
	c.WaitFor("rm /etc/group")
	c.Press("ctrl+]", "q")
	c.WaitGone("▸ shell")
	c.Press("]")
	c.WaitFor("cart", "starter.conf")
	// Two samples, so that the graphs show something.
	c.Wait("the stats", func(s string) bool { return strings.Contains(s, "shop stats") && strings.Count(s, "▁") > 4 })
	settled := time.Now().Add(3 * time.Second)
	c.Wait("the picture to settle", func(string) bool { return time.Now().After(settled) })

	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := c.Picture(f, picture.Dark); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	c.Press("q")
	c.WaitExit()
}
