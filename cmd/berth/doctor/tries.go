package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// apart runs f on a thread with namespaces of its own, which end with it.
func apart(flags int, f func() error) error {
	done := make(chan error)
	go func() {
		// Never unlocked: the thread must not be used for anything else.
		runtime.LockOSThread()
		err := unix.Unshare(flags)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// overlay tries to mount one where images will be.
func overlay(m Machine) []Finding {
	if m.Euid != 0 {
		return nil
	}
	parent := existing(m.Root)
	dir, err := os.MkdirTemp(parent, ".doctor")
	if err != nil {
		return bad("overlay", fmt.Sprintf("nothing can be written to %s: %v", parent, err), "mount -o remount,rw "+parent)
	}
	defer os.RemoveAll(dir)
	err = apart(unix.CLONE_NEWNS|unix.CLONE_FS, func() error {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		for _, d := range []string{"low", "up", "work", "merged"} {
			if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
				return err
			}
		}
		merged := filepath.Join(dir, "merged")
		if err := unix.Mount("overlay", merged, "overlay", 0, fmt.Sprintf("lowerdir=%[1]s/low,upperdir=%[1]s/up,workdir=%[1]s/work", dir)); err != nil {
			return err
		}
		return unix.Unmount(merged, 0)
	})
	switch {
	case err == nil:
		return good("overlay", "mounts on %s", parent)
	case errors.Is(err, unix.ENODEV):
		return warning("overlay", "the kernel has none: layers are copied for every container (driver vfs)", "modprobe overlay")
	}
	return warning("overlay", fmt.Sprintf("does not mount on %s, so layers are copied for every container (driver vfs): %v", parent, err), "berth --root /DIRECTORY/ON/EXT4/OR/XFS serve")
}

// devices tries to make what container networks consist of.
func devices(m Machine) []Finding {
	if m.Euid != 0 {
		return nil
	}
	var out []Finding
	for _, d := range []struct {
		module string
		link   netlink.Link
	}{
		{"bridge", &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "doctor0"}}},
		{"veth", &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "doctor1"}, PeerName: "doctor2"}},
	} {
		if err := apart(unix.CLONE_NEWNET, func() error { return netlink.LinkAdd(d.link) }); err != nil {
			out = append(out, bad(d.module, fmt.Sprintf("none can be made, only --network none and host work: %v", err), "modprobe "+d.module)...)
		}
	}
	if len(out) == 0 {
		return good("network", "bridge and veth")
	}
	return out
}

// firewall tries to make a table, and looks for rules of others that drop what
// containers send.
func firewall(m Machine) []Finding {
	if m.Euid != 0 {
		return nil
	}
	err := apart(unix.CLONE_NEWNET, func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		t := c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "doctor"})
		c.AddChain(&nftables.Chain{Name: "nat", Table: t, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityNATDest})
		return c.Flush()
	})
	if err != nil {
		return bad("nftables", fmt.Sprintf("no table can be made, only --network none and host work: %v", err), "modprobe -a nf_tables nft_chain_nat")
	}
	c, err := nftables.New()
	if err != nil {
		return warning("firewall", fmt.Sprintf("its rules cannot be read: %v", err), "nft list ruleset")
	}
	chains, err := c.ListChains()
	if err != nil {
		return warning("firewall", fmt.Sprintf("its rules cannot be read: %v", err), "nft list ruleset")
	}
	out := good("nftables", "tables with NAT")
	for _, ch := range chains {
		if ch.Hooknum == nil || *ch.Hooknum != *nftables.ChainHookForward || ch.Policy == nil || *ch.Policy != nftables.ChainPolicyDrop || strings.HasPrefix(ch.Table.Name, "berth") {
			continue
		}
		rules, err := c.GetRules(ch.Table, ch)
		if err == nil && allows(rules) {
			continue
		}
		where := family(ch.Table.Family) + " " + ch.Table.Name + " " + ch.Name
		out = append(out, warning("firewall", "the chain "+where+" drops what is forwarded: containers reach no other machine",
			fmt.Sprintf(`nft 'insert rule %[1]s iifname "berth*" accept; insert rule %[1]s oifname "berth*" accept'`, where))...)
	}
	return append(out, firewalld(c, chains)...)
}

// allows tells whether a rule names berth's devices.
func allows(rules []*nftables.Rule) bool {
	for _, r := range rules {
		for _, e := range r.Exprs {
			if cmp, ok := e.(*expr.Cmp); ok && bytes.HasPrefix(cmp.Data, []byte("berth")) {
				return true
			}
		}
	}
	return false
}

// family is nft's name of a table family.
func family(f nftables.TableFamily) string {
	switch f {
	case nftables.TableFamilyIPv4:
		return "ip"
	case nftables.TableFamilyIPv6:
		return "ip6"
	}
	return "inet"
}
