package network

import (
	"errors"
	"fmt"
	"strings"

	"berth/runtime/procfs"
)

// Sysctl is a setting of one interface.
type Sysctl struct {
	Group string // such as "ipv4/conf", below net
	Key   string // such as "log_martians"
	Value string
}

// ParseSysctls reads a list such as "net.ipv4.conf.IFNAME.log_martians=1,…". The errors are
// docker's, one for each line.
func ParseSysctls(list string) ([]Sysctl, error) {
	var out []Sysctl
	var errs []error
	for one := range strings.SplitSeq(list, ",") {
		parts := strings.SplitN(one, ".", 5)
		// Lower case, too: docker's command line makes it so.
		if len(parts) != 5 || parts[0] != "net" || parts[1] != "ipv4" && parts[1] != "ipv6" && parts[1] != "mpls" || parts[3] != "IFNAME" && parts[3] != "ifname" {
			errs = append(errs, fmt.Errorf("unrecognised network interface sysctl '%s'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'", one))
			continue
		}
		key, value, ok := strings.Cut(parts[4], "=")
		if !ok {
			errs = append(errs, fmt.Errorf("expected sysctl '%s' to have format name=value", one))
			continue
		}
		// Each is one name, and no path.
		if strings.ContainsAny(parts[2]+key, "./") || parts[2] == "" || key == "" {
			errs = append(errs, fmt.Errorf("expected sysctl '%s' to have format net.X.Y.IFNAME.Z", one))
			continue
		}
		out = append(out, Sysctl{Group: parts[1] + "/" + parts[2], Key: key, Value: value})
	}
	return out, errors.Join(errs...)
}

// setSysctls sets those of a device of the calling thread's namespace.
func setSysctls(device string, sysctls []Sysctl) error {
	if len(sysctls) == 0 {
		return nil
	}
	proc, err := netProc()
	if err != nil {
		return err
	}
	defer proc.Close()
	for _, s := range sysctls {
		name := "sys/net/" + s.Group + "/" + device + "/" + s.Key
		if err := procfs.Write(proc, name, s.Value); err != nil {
			return fmt.Errorf("set /proc/%s to %s: %w", name, s.Value, err)
		}
	}
	return nil
}
