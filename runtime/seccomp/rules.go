package seccomp

import (
	"fmt"
	"sort"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// test is one condition on an argument: (argument & mask) op value.
type test struct {
	arg   uint
	op    specs.LinuxSeccompOperator
	mask  uint64
	value uint64
}

// rule says what becomes of a call if all tests hold.
type rule struct {
	tests  []test
	action uint32
}

// entry is one entry of a profile.
type entry struct {
	names []string
	rules []rule
}

// parseRule turns one entry of a profile into alternatives. Conditions on
// different arguments must all hold; of several on one argument, as in runc, any
// one will do.
func parseRule(r specs.LinuxSyscall) ([]rule, error) {
	action, err := verdict(r.Action, r.ErrnoRet)
	if err != nil {
		return nil, err
	}
	all := rule{action: action}
	var any []rule
	seen := map[uint]bool{}
	repeated := false
	for _, a := range r.Args {
		t := test{arg: a.Index, op: a.Op, mask: ^uint64(0), value: a.Value}
		switch a.Op {
		case specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan:
		case specs.OpMaskedEqual:
			t.op, t.mask, t.value = specs.OpEqualTo, a.Value, a.ValueTwo
		default:
			return nil, fmt.Errorf("unknown operator %q: %w", a.Op, errdefs.ErrInvalidArgument)
		}
		if a.Index > 5 {
			return nil, fmt.Errorf("argument %d: a system call has six: %w", a.Index, errdefs.ErrInvalidArgument)
		}
		repeated = repeated || seen[a.Index]
		seen[a.Index] = true
		all.tests = append(all.tests, t)
		any = append(any, rule{tests: []test{t}, action: action})
	}
	if repeated {
		return any, nil
	}
	return []rule{all}, nil
}

// outcome is what happens to the calls with numbers from start to the next
// outcome's start: the first rule whose tests hold, or byDefault.
type outcome struct {
	start     uint32
	rules     []rule
	byDefault uint32
}

func (o outcome) same(p outcome) bool {
	return len(o.rules)+len(p.rules) == 0 && o.byDefault == p.byDefault
}

// outcomes lists what happens to every number under one audit architecture.
func outcomes(entries []entry, arches []arch, byDefault uint32) []outcome {
	calls := map[uint32]outcome{}
	list := []outcome{}
	for _, a := range arches {
		newest := collect(entries, a, byDefault, calls)
		list = append(list, outcome{start: a.bit, byDefault: byDefault})
		if byDefault != unix.SECCOMP_RET_ALLOW && byDefault != unix.SECCOMP_RET_LOG {
			list = append(list, outcome{start: newest + 1, byDefault: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)})
		}
	}
	if arches[0].name == specs.ArchX86_64 && len(arches) == 1 {
		// x32 calls, when x32 is not listed, are of a foreign architecture.
		list = append(list, outcome{start: 1 << 30, byDefault: unix.SECCOMP_RET_KILL_THREAD})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].start < list[j].start })
	return merge(list, calls)
}

// collect adds what the profile says of the calls of one architecture and
// returns the highest number that it names.
func collect(entries []entry, a arch, byDefault uint32, calls map[uint32]outcome) (newest uint32) {
	newest = a.bit
	for _, e := range entries {
		for _, name := range e.names {
			nr, ok := a.number(name)
			if !ok {
				continue
			}
			if nr&^a.bit < privateBase {
				newest = max(newest, nr)
			}
			o, had := calls[nr]
			if !had {
				o = outcome{start: nr, byDefault: byDefault}
			}
			for _, r := range e.rules {
				if len(r.tests) == 0 {
					// Holds always; the tests that the profile has elsewhere for
					// this call come first, being the narrower ones.
					o.byDefault = r.action
				} else {
					o.rules = append(o.rules, r)
				}
			}
			calls[nr] = o
		}
	}
	return newest
}

// merge lays the single calls over the ranges and joins neighbours that have the
// same outcome.
func merge(ranges []outcome, calls map[uint32]outcome) []outcome {
	numbers := make([]uint32, 0, len(calls))
	for nr := range calls {
		numbers = append(numbers, nr)
	}
	sort.Slice(numbers, func(i, j int) bool { return numbers[i] < numbers[j] })
	var out []outcome
	add := func(o outcome) {
		if n := len(out); n > 0 && out[n-1].start == o.start {
			out = out[:n-1] // a range of no length
		}
		if n := len(out); n > 0 && out[n-1].same(o) {
			return
		}
		out = append(out, o)
	}
	r := 0
	for _, nr := range numbers {
		for r < len(ranges) && ranges[r].start <= nr {
			add(ranges[r])
			r++
		}
		around := ranges[r-1]
		add(calls[nr])
		if r == len(ranges) || ranges[r].start > nr+1 {
			around.start = nr + 1
			add(around)
		}
	}
	for _, o := range ranges[r:] {
		add(o)
	}
	return out
}
