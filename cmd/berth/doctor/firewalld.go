package doctor

import (
	"bytes"
	"net"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// firewalld looks for the bridges that firewalld does not know, although the engine tells
// it of each: it was not to be reached, or somebody has it forget. Its chains accept by
// policy and reject by their last rule, so that no rule of berth's can be put behind the
// others; a bridge in its zone "trusted" passes.
func firewalld(c *nftables.Conn, chains []*nftables.Chain) []Finding {
	var named []byte // what its rules compare devices with
	there := false
	for _, ch := range chains {
		if ch.Table.Name != "firewalld" {
			continue
		}
		there = true
		rules, err := c.GetRules(ch.Table, ch)
		if err != nil {
			return warning("firewall", "the rules of firewalld cannot be read: "+err.Error(), "nft list table inet firewalld")
		}
		for _, r := range rules {
			for _, e := range r.Exprs {
				if cmp, ok := e.(*expr.Cmp); ok && bytes.HasPrefix(cmp.Data, []byte("berth")) {
					named = append(append(named, bytes.TrimRight(cmp.Data, "\x00")...), ' ')
				}
			}
		}
	}
	if !there {
		return nil
	}
	var devices []string
	if all, err := net.Interfaces(); err == nil {
		for _, i := range all {
			if strings.HasPrefix(i.Name, "berth") {
				devices = append(devices, i.Name)
			}
		}
	}
	mend := "firewall-cmd --zone=trusted"
	var unknown []string
	for _, d := range devices {
		if !bytes.Contains(named, []byte(d+" ")) {
			unknown = append(unknown, d)
			mend += " --add-interface=" + d
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return warning("firewall", "firewalld rejects what is forwarded: containers behind "+strings.Join(unknown, ", ")+" reach no other machine", mend)
}
