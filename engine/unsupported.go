package engine

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// unsupported refuses options that would otherwise be lost silently.
func (cs *Containers) unsupported(hc *container.HostConfig) error {
	for option := range hc.StorageOpt {
		if !strings.EqualFold(option, "size") {
			return kind(errdefs.ErrInvalidArgument, "Unknown option %s", option)
		}
	}
	if len(hc.StorageOpt) > 0 {
		if hasProjectQuota(cs.e.cfg.Root) {
			return fmt.Errorf("--storage-opt size cannot be used: this engine sets no quotas, though %s could have them; a volume with an image file of that size does the same: %w", cs.e.cfg.Root, errdefs.ErrNotImplemented)
		}
		return kind(errdefs.ErrInvalidArgument, "--storage-opt is supported only for overlay over xfs with 'pquota' mount option")
	}
	if hc.Cgroup != "" {
		return fmt.Errorf("the cgroup of another container cannot be used with this engine; --cgroup-parent puts containers into one: %w", errdefs.ErrNotImplemented)
	}
	return nil
}

// hasProjectQuota tells whether the file system of dir is mounted with project quotas.
func hasProjectQuota(dir string) bool {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	defer f.Close()
	best, quota := "", false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 {
			continue
		}
		// The longest mount point that dir lies under is that of its file system.
		at := strings.TrimSuffix(fields[4], "/")
		if len(at) >= len(best) && (dir == at || strings.HasPrefix(dir, at+"/")) {
			options := "," + fields[len(fields)-1] + ","
			best, quota = at, strings.Contains(options, ",prjquota,") || strings.Contains(options, ",pquota,")
		}
	}
	return quota
}
