package container

import (
	"fmt"
	"os"
	"strings"

	"berth/runtime/nsenter"
	"berth/runtime/procfs"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

var ipcSysctls = map[string]bool{
	"kernel.msgmax": true, "kernel.msgmnb": true, "kernel.msgmni": true, "kernel.sem": true, "kernel.shmall": true,
	"kernel.shmmax": true, "kernel.shmmni": true, "kernel.shm_rmid_forced": true,
}

// validateSysctl lets through only what belongs to one of the container's own
// namespaces; everything else would change the host.
func validateSysctl(spec *specs.Spec, ns nsenter.Namespaces) error {
	for name := range spec.Linux.Sysctl {
		// A slash is as good as a dot, so that a name may hold a dot.
		key := strings.ReplaceAll(name, "/", ".")
		var need specs.LinuxNamespaceType
		switch {
		case strings.Contains(key, ".."):
			return fmt.Errorf("linux.sysctl: %q is no name: %w", name, errdefs.ErrInvalidArgument)
		case ipcSysctls[key], strings.HasPrefix(key, "fs.mqueue."):
			need = specs.IPCNamespace
		case strings.HasPrefix(key, "net."):
			need = specs.NetworkNamespace
		case key == "kernel.domainname":
			need = specs.UTSNamespace
		case key == "kernel.hostname":
			return fmt.Errorf("linux.sysctl: %s: use hostname instead: %w", name, errdefs.ErrInvalidArgument)
		default:
			return fmt.Errorf("linux.sysctl: %s is not in a separate kernel namespace: %w", name, errdefs.ErrInvalidArgument)
		}
		if !ns.Own(need) {
			return fmt.Errorf("linux.sysctl: %s needs a private %s namespace: %w", name, need, errdefs.ErrInvalidArgument)
		}
	}
	return nil
}

// applySysctl writes the sysctls from a thread in the container's namespaces to a
// proc of its own, or else to proc, which was opened before it was there.
func applySysctl(proc *os.File, sysctl map[string]string) error {
	if len(sysctl) == 0 {
		return nil
	}
	if own, err := procfs.New(); err == nil {
		defer own.Close()
		proc = own
	}
	for name, value := range sysctl {
		at := name
		if !strings.Contains(name, "/") {
			at = strings.ReplaceAll(name, ".", "/")
		}
		if err := procfs.Write(proc, "sys/"+at, value); err != nil {
			return fmt.Errorf("linux.sysctl: set %s to %q: %w", name, value, err)
		}
	}
	return nil
}
