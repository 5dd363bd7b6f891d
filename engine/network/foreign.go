package network

import (
	"fmt"
	"maps"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
)

// A packet that is forwarded has to pass the chains of everybody, so a chain of somebody
// else that drops by default (dockerd's and ufw's FORWARD, or an admin's own) cuts
// containers off, and no rule in a table of ours can change that. Short of that there is
// nothing that works: marks mean something only to who looks for them, and bypassing the
// chains altogether bypasses address translation too. So the least is done. At the end
// of each such chain, where only its policy would follow, two rules for each bridge
// accept what comes from it and what goes to it; what the owner of the chain drops or
// rejects by a rule of his own stays so. They are written as iptables writes its own, so
// that iptables goes on to understand its table, and carry the name of our table as
// their comment. Who drops by a rule instead of a policy has to be told: firewalld is (see
// trust).
//
// What those rules accept our own forward chain has looked at: it keeps strangers out
// of our bridges, and our containers out of the bridges of other engines.

// strangers are how the bridges of other engines are called: docker's, and podman's by
// CNI and netavark. What a container sends there directly is dropped, and not let pass
// for want of a drop of theirs; published ports of theirs are reached as by anybody.
var strangers = []string{"docker", "br-", "cni-", "podman"}

// passForeign makes the foreign chains that drop by default accept the traffic of nets,
// and those that no more do so forget about it.
func (fw *firewall) passForeign(nets map[string]*Network) error {
	return fw.transaction("pass the chains of others beside", func(c *nftables.Conn) error {
		chains, err := c.ListChains()
		if err != nil {
			return fmt.Errorf("list the chains of nftables: %w", err)
		}
		for _, ch := range chains {
			if !forwards(ch) || ch.Table.Name == fw.table {
				continue
			}
			var want []string
			if *ch.Policy == nftables.ChainPolicyDrop {
				for _, n := range bridges(nets) {
					if ch.Table.Family == nftables.TableFamilyIPv6 && !n.V6.Valid() || ch.Table.Family == nftables.TableFamilyIPv4 && !n.V4.Valid() {
						continue
					}
					want = append(want, n.Device)
				}
			}
			if err := fw.accept(c, ch, want); err != nil {
				return err
			}
		}
		return nil
	})
}

// forwards tells whether packets that are forwarded pass ch.
func forwards(ch *nftables.Chain) bool {
	switch ch.Table.Family {
	case nftables.TableFamilyIPv4, nftables.TableFamilyIPv6, nftables.TableFamilyINet:
		return ch.Hooknum != nil && *ch.Hooknum == *nftables.ChainHookForward && ch.Policy != nil
	}
	return false
}

// accept makes our rules in ch those for devices.
func (fw *firewall) accept(c *nftables.Conn, ch *nftables.Chain, devices []string) error {
	rules, err := c.GetRules(ch.Table, ch)
	if err != nil {
		return fmt.Errorf("list the rules of chain %s %s: %w", ch.Table.Name, ch.Name, err)
	}
	have := map[string]*nftables.Rule{}
	for _, r := range rules {
		if text, ok := userdata.GetString(r.UserData, userdata.TypeComment); ok && text == fw.comment() {
			have[ruleKey(r.Exprs)] = r
		}
	}
	slices.Sort(devices)
	for _, d := range devices {
		for _, key := range []expr.MetaKey{expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME} {
			exprs := rule{&expr.Meta{Key: key, Register: reg1}, &expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: append([]byte(d), 0)},
				&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictAccept}}
			if k := ruleKey(exprs); have[k] != nil {
				delete(have, k)
				continue
			}
			c.AddRule(&nftables.Rule{Table: ch.Table, Chain: ch, Exprs: exprs, UserData: userdata.AppendString(nil, userdata.TypeComment, fw.comment())})
		}
	}
	for r := range maps.Values(have) {
		if err := c.DelRule(r); err != nil {
			return fmt.Errorf("remove a rule of chain %s %s: %w", ch.Table.Name, ch.Name, err)
		}
	}
	return nil
}

// comment is by what our rules in others' chains are known.
func (fw *firewall) comment() string { return fw.table + ": traffic of containers" }

// ruleKey tells one of the rules of accept from the other.
func ruleKey(exprs []expr.Any) string {
	key := ""
	for _, e := range exprs {
		switch e := e.(type) {
		case *expr.Meta:
			key += fmt.Sprint(e.Key)
		case *expr.Cmp:
			key += string(e.Data)
		}
	}
	return key
}

// dropToStrangers: iifname DEVICE oifname != DEVICE oifname PREFIX* ct status != dnat drop
func dropToStrangers(n *Network, prefix string) rule {
	e := append(device(expr.MetaKeyIIFNAME, expr.CmpOpEq, n.Device), device(expr.MetaKeyOIFNAME, expr.CmpOpNeq, n.Device)...)
	e = append(e,
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: reg1}, &expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: []byte(prefix)})
	e = append(e, conntrack(expr.CtKeySTATUS, expr.CmpOpEq, dnatStatus)...)
	return append(e, &expr.Verdict{Kind: expr.VerdictDrop})
}
