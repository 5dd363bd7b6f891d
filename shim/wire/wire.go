// Package wire is the protocol between an engine and the shims of its containers: the
// messages, how they are framed on a unix stream socket, and how descriptors travel
// with them.
//
// A frame is a header of eight bytes, a body, and up to MaxFDs descriptors (SCM_RIGHTS)
// that ride on the header's first byte:
//
//	bytes 0-3   length of the body, big endian, at most MaxBody
//	byte  4     version of the protocol, Version
//	byte  5     type of the message, see the table
//	byte  6     number of descriptors
//	byte  7     zero
//
// A connection carries requests one after another; every request is answered by exactly
// one reply, except that an attachment is followed by one more message, ended. A client
// that goes away at any point disturbs nobody.
//
//	request      body                                    descriptors   reply
//	create       Config (only on the inherited socket)   [error log]   pid
//	info         -                                       -             info
//	start        -                                       -             ok
//	kill         signal i32, all bool                    -             ok
//	pause        -                                       -             ok
//	resume       -                                       -             ok
//	resize       height u32, width u32                   -             ok
//	attach       Attach                                  connection    ok, later ended
//	exec         Exec                                    [connection]  pid
//	exec-kill    exec ID, signal i32                     -             ok
//	exec-resize  exec ID, height u32, width u32          -             ok
//	exec-wait    exec ID                                 -             exit
//	wait         -                                       -             exit
//	root         -                                       -             ok + descriptor of the container's root directory
//	netns        -                                       -             ok + descriptor of its network namespace
//	tree         Path of one of Config.Trees             -             ok + descriptor of a detached copy of that mount
//	keep         name                                    any           ok
//	kept         name                                    -             ok + the descriptors kept under the name
//	forward      list of Forward                         sockets       ok
//	forwards     -                                       -             forwarded
//
//	reply        body
//	ok           -
//	error        kind u8, text
//	pid          i32
//	info         Info
//	exit         Exit
//	ended        reason u8
//	forwarded    list of Forward
//
// Integers are big endian; a string, a byte string or a list starts with its length as
// u32. A body that is too short, too long or holds impossible values is an error and
// never a zero value, so a later version has to count Version up; a shim outlives the
// engine that started it, hence a newer engine goes on speaking the version that a shim
// told in its Info.
//
// The package is part of every shim: it must not import net, reflection-heavy encoders
// or anything of the engine.
package wire

// Version of the protocol.
const Version = 1

// Bounds of a frame. A process's arguments and environment are the largest things sent;
// the kernel's own bound on them is 6 MiB.
const (
	MaxBody = 8 << 20
	MaxFDs  = 64

	headerSize = 8
)

// Type tells what a frame holds.
type Type uint8

// Requests.
const (
	TypeCreate Type = iota + 1
	TypeInfo
	TypeStart
	TypeKill
	TypePause
	TypeResume
	TypeResize
	TypeAttach
	TypeExec
	TypeExecKill
	TypeExecResize
	TypeExecWait
	TypeWait
	TypeRoot
	TypeNetNS
	TypeKeep
	TypeKept
	TypeForward
	TypeForwards
	TypeTree
)

// Replies.
const (
	TypeOK Type = iota + 64
	TypeError
	TypePID
	TypeInfoReply
	TypeExit
	TypeEnded
	TypeForwarded
)

// SocketName is the name of a shim's socket in its directory.
const SocketName = "shim.sock"

// ConfigFD is the descriptor on which a new shim finds the socket of the engine that
// starts it.
const ConfigFD = 3

// NoID stands for the container's ID in the arguments of a shim that was started before
// it is known.
const NoID = "----------------------------------------------------------------"
