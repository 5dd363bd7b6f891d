package seccomp

import (
	"encoding/json"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// FuzzCompile compiles whatever profile there is, checks the filter as the kernel
// does, and compares what it answers with the definition.
func FuzzCompile(f *testing.F) {
	docker, err := json.Marshal(dockerProfile(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(docker, uint32(56), byte(0), uint64(0x7e020000), uint64(1))
	f.Add([]byte(`{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"architectures":["SCMP_ARCH_X32","SCMP_ARCH_X86"],"syscalls":[
		{"names":["read","ioctl"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":4294967296,"op":"SCMP_CMP_GT"},{"index":0,"value":255,"valueTwo":7,"op":"SCMP_CMP_MASKED_EQ"}]},
		{"names":["read"],"action":"SCMP_ACT_TRACE","errnoRet":5,"args":[{"index":1,"value":3,"op":"SCMP_CMP_NE"},{"index":1,"value":9,"op":"SCMP_CMP_LE"}]}]}`),
		uint32(1<<30|514), byte(2), uint64(7), uint64(1<<32))
	machine := arches("amd64", map[string]table{"amd64": callsAmd64, "386": calls386})
	f.Fuzz(func(t *testing.T, profile []byte, nr uint32, which byte, arg0, arg1 uint64) {
		var s specs.LinuxSeccomp
		if json.Unmarshal(profile, &s) != nil {
			return
		}
		prog, err := compile(&s, machine)
		if err != nil {
			return
		}
		wellFormed(t, prog)
		listed, err := selectArches(s.Architectures, machine)
		if err != nil {
			t.Fatal(err)
		}
		audits := []uint32{machine[0].audit, machine[1].audit, unix.AUDIT_ARCH_ARM}
		c := call{nr: nr, arch: audits[int(which)%len(audits)], args: [6]uint64{arg0, arg1, arg0 ^ arg1, ^arg0, arg1 << 32, arg0 >> 32}}
		numbers := []uint32{nr, nr &^ (1 << 30), nr % 512, 0, 1<<30 | nr%600, ^uint32(0)}
		for _, e := range s.Syscalls {
			for _, name := range e.Names {
				for _, a := range machine {
					if n, ok := a.number(name); ok {
						numbers = append(numbers, n, n+1)
					}
				}
			}
			for _, a := range e.Args {
				// What is compared with is more telling than anything else.
				c.args[a.Index] = a.Value + uint64(int8(which))%3 - 1
			}
		}
		for _, c.nr = range numbers[:min(len(numbers), 64)] {
			got, _ := simulate(t, prog, c)
			if want := reference(t, &s, listed, c); got != want {
				t.Fatalf("call %+v: verdict %#x, want %#x", c, got, want)
			}
		}
	})
}

// wellFormed makes the checks of the kernel (bpf_check_classic, seccomp_check_filter).
func wellFormed(t *testing.T, prog []unix.SockFilter) {
	t.Helper()
	if len(prog) == 0 || len(prog) > maxInsns || prog[len(prog)-1].Code != opRet {
		t.Fatalf("a filter of %d instructions", len(prog))
	}
	for at, i := range prog {
		end := at + 1
		switch i.Code {
		case opLoad:
			if i.K%4 != 0 || i.K >= 64 {
				t.Fatalf("instruction %d loads from %d", at, i.K)
			}
		case opJump:
			end += int(i.K)
		case opEQ, opGE, opGT:
			end += int(max(i.Jt, i.Jf))
		}
		if end >= len(prog) && i.Code != opRet {
			t.Fatalf("instruction %d leads to %d of %d", at, end, len(prog))
		}
	}
}
