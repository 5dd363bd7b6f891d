package spec

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// passwd is what counts of a line of /etc/passwd.
type passwd struct {
	name     string
	uid, gid uint32
	home     string
}

// group is what counts of a line of /etc/group.
type group struct {
	name    string
	gid     uint32
	members []string
}

// LookupUser resolves "user", "uid", "user:group" in the container's own
// databases and returns its home directory ("/" when it has none). Without a
// group the user's supplementary groups count too; extra are further groups,
// names or numbers. A number needs no entry; a name without one is of kind
// InvalidArgument, in docker's words.
func LookupUser(root Root, spec string, extra []string) (specs.User, string, error) {
	users, err := readPasswd(root)
	if err != nil {
		return specs.User{}, "", err
	}
	groups, err := readGroups(root)
	if err != nil {
		return specs.User{}, "", err
	}
	// "user", "user:group" or ":group"; each a name or a number.
	userArg, groupArg, withGroup := strings.Cut(spec, ":")
	if userArg == "" {
		userArg = "0"
	}
	entry := passwd{home: "/"}
	number, numeric := parseID(userArg)
	// A name that looks like a number counts as a name first, as in login(1) and docker.
	at := slices.IndexFunc(users, func(p passwd) bool { return p.name == userArg })
	if at < 0 && numeric {
		at = slices.IndexFunc(users, func(p passwd) bool { return p.uid == number })
	}
	switch {
	case at >= 0:
		entry = users[at]
	case numeric:
		entry.uid = number
	default:
		return specs.User{}, "", fmt.Errorf("unable to find user %s: no matching entries in passwd file: %w", userArg, errdefs.ErrInvalidArgument)
	}
	out := specs.User{UID: entry.uid, GID: entry.gid}
	// The primary group is repeated among the additional ones: without that a set-group-ID
	// program could drop it and gain what the group is denied (CVE-2022-36109).
	if withGroup && groupArg != "" {
		if out.GID, err = lookupGroup(groups, groupArg); err != nil {
			return specs.User{}, "", err
		}
		out.AdditionalGids = []uint32{out.GID}
	} else {
		out.AdditionalGids = []uint32{out.GID}
		for _, g := range groups {
			if entry.name != "" && slices.Contains(g.members, entry.name) {
				out.AdditionalGids = append(out.AdditionalGids, g.gid)
			}
		}
	}
	for _, name := range extra {
		gid, err := lookupGroup(groups, name)
		if err != nil {
			return specs.User{}, "", err
		}
		out.AdditionalGids = append(out.AdditionalGids, gid)
	}
	slices.Sort(out.AdditionalGids)
	out.AdditionalGids = slices.Compact(out.AdditionalGids)
	if entry.home == "" {
		entry.home = "/"
	}
	return out, entry.home, nil
}

// lookupGroup finds a group by name, or takes its number.
func lookupGroup(groups []group, name string) (uint32, error) {
	if at := slices.IndexFunc(groups, func(g group) bool { return g.name == name }); at >= 0 {
		return groups[at].gid, nil
	}
	if gid, ok := parseID(name); ok {
		return gid, nil
	}
	return 0, fmt.Errorf("unable to find group %s: no matching entries in group file: %w", name, errdefs.ErrInvalidArgument)
}

// parseID reads a user or group ID; more than 31 bits are refused as docker does.
func parseID(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n <= math.MaxInt32
}

// readPasswd reads /etc/passwd (passwd(5)); lines that are none are skipped.
func readPasswd(root Root) ([]passwd, error) {
	var all []passwd
	err := eachLine(root, "/etc/passwd", func(f []string) {
		if len(f) < 6 {
			return
		}
		uid, ok1 := parseID(f[2])
		gid, ok2 := parseID(f[3])
		if ok1 && ok2 {
			all = append(all, passwd{name: f[0], uid: uid, gid: gid, home: f[5]})
		}
	})
	return all, err
}

// readGroups reads /etc/group (group(5)).
func readGroups(root Root) ([]group, error) {
	var all []group
	err := eachLine(root, "/etc/group", func(f []string) {
		if len(f) < 4 {
			return
		}
		if gid, ok := parseID(f[2]); ok {
			all = append(all, group{name: f[0], gid: gid, members: strings.Split(f[3], ",")})
		}
	})
	return all, err
}

// eachLine splits the lines of a database at colons. An image without it is
// as good as one with an empty one.
func eachLine(root Root, name string, fn func([]string)) error {
	b, err := root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s of the container: %w", name, err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, len(b)+1)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line != "" && line[0] != '#' {
			fn(strings.Split(line, ":"))
		}
	}
	return nil
}
