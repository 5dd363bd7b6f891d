package spec

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
)

// checkSet refuses a list of CPUs or memory nodes ("0-2,7") that is none, or of which
// the machine has not all. online is the kernel's list of those it has.
func checkSet(what, option, value, online string) error {
	if value == "" {
		return nil
	}
	asked, err := numberSet(value)
	if err != nil {
		//lint:ignore ST1005 the words are docker's
		return fmt.Errorf("Invalid value %s for cpuset %s: %w: %w", value, option, err, errdefs.ErrInvalidArgument)
	}
	b, err := os.ReadFile(online)
	if err != nil {
		return nil //nolint:nilerr // a kernel without nodes: it has the last word
	}
	have := strings.TrimSpace(string(b))
	present, err := numberSet(have)
	if err != nil {
		return fmt.Errorf("read %s: %w", online, err)
	}
	for n := range asked {
		if !present[n] {
			//lint:ignore ST1005 the words are docker's
			return fmt.Errorf("Requested %s are not available - requested %s, available: %s: %w", what, value, have, errdefs.ErrInvalidArgument)
		}
	}
	return nil
}

// maxInSet is more than any kernel is built for (CONFIG_NR_CPUS), and keeps a hostile
// range small.
const maxInSet = 8192

// numberSet reads a list of numbers and ranges as cpuset(7) has it.
func numberSet(list string) (map[int]bool, error) {
	set := make(map[int]bool)
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		ends := make([]int, 2)
		for i, text := range []string{from, to} {
			n, err := strconv.Atoi(text)
			if err != nil || strings.HasPrefix(text, "+") {
				return nil, fmt.Errorf("invalid format: %s", list)
			}
			if n < 0 || n >= maxInSet {
				return nil, fmt.Errorf("value out of range, maximum is %d", maxInSet-1)
			}
			ends[i] = n
		}
		if !slices.IsSorted(ends) {
			return nil, fmt.Errorf("invalid format: %s", list)
		}
		for n := ends[0]; n <= ends[1]; n++ {
			set[n] = true
		}
	}
	return set, nil
}
