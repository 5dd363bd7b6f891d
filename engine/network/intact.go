package network

import (
	"fmt"

	"github.com/google/nftables"
)

// intact tells whether our tables are as we have written them, as far as the number of
// their rules and elements tells. What cannot be read is not.
func (m *Manager) intact() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	ok, err := m.fw.intact(m.ends)
	if err != nil {
		m.log.Debug("comparing the firewall's table", "error", err)
	}
	return ok && err == nil
}

func (fw *firewall) intact(ends map[string][]*Endpoint) (bool, error) {
	same := true
	err := fw.transaction("compare", func(c *nftables.Conn) error {
		for _, f := range families {
			if !fw.there[f] {
				continue
			}
			t := fw.tableOf(f)
			chains, err := c.ListChainsOfTableFamily(f.table)
			if err != nil {
				return fmt.Errorf("list the chains of nftables: %w", err)
			}
			rules := 0
			for _, ch := range chains {
				if ch.Table.Name != fw.table {
					continue
				}
				in, err := c.GetRules(t, ch)
				if err != nil {
					return fmt.Errorf("list the rules of chain %s %s: %w", fw.table, ch.Name, err)
				}
				rules += len(in)
			}
			want := map[string]int{}
			for _, of := range ends {
				for _, e := range of {
					if e.leaving {
						continue
					}
					if err := f.elements(t, e, func(s *nftables.Set, el []nftables.SetElement) error { want[s.Name] += len(el); return nil }); err != nil {
						return err
					}
				}
			}
			same = same && rules == fw.rules[f]
			for _, s := range []*nftables.Set{f.anywhere(t), f.at(t), f.open(t), f.proxied(t)} {
				el, err := c.GetSetElements(s)
				if err != nil {
					return fmt.Errorf("list the elements of %s %s: %w", fw.table, s.Name, err)
				}
				same = same && len(el) == want[s.Name]
			}
		}
		return nil
	})
	return same, err
}
