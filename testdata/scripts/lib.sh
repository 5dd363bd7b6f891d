# What the scripts of the Makefile share. Sourced, not run.

say()  { printf '%s\n' "$*" >&2; }
die()  { say "$*"; exit 1; }
root() { [ "$(id -u)" = 0 ]; }
have() { command -v "$1" >/dev/null 2>&1; }

# apt PACKAGE...: installs Debian packages; false, and why, when it cannot.
apt() {
	if ! root; then say "cannot install $*: not root (type: sudo apt-get install $*)"; return 1; fi
	if ! have apt-get; then say "cannot install $*: no apt-get on this machine"; return 1; fi
	say "installing $*"
	local log; log=$(mktemp)
	if DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >"$log" 2>&1 ||
	   { apt-get update -q >>"$log" 2>&1 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >>"$log" 2>&1; }; then
		rm -f "$log"; return 0
	fi
	say "installing $* failed:"; tail -n 5 "$log" >&2; rm -f "$log"; return 1
}

# static FILE: whether it is a static executable. The name of a dynamic loader stands right behind the ELF headers.
static() { ! head -c 4096 "$1" | LC_ALL=C grep -aq '/ld-'; }

# busybox: prints the path of a static busybox, installing one if need be.
busybox_path() {
	local b; b=$(command -v busybox || true)
	if [ -n "$b" ] && static "$b"; then echo "$b"; return 0; fi
	[ -z "$b" ] || say "$b is dynamically linked; the starter image has no libraries"
	apt busybox-static || return 1
	hash -r; b=$(command -v busybox || true)
	[ -n "$b" ] && static "$b" && echo "$b"
}
