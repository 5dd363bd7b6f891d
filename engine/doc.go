// Package engine is berth's container engine: the nouns (Containers, Images,
// Volumes) and their verbs, in the terms and types of Docker's Engine API.
//
// An Engine owns one root directory (what lasts) and one state directory (what a
// reboot may take). It starts a shim for each container and talks to it; the
// shim is the parent of the container and survives the engine, so the engine can
// be killed at any instant: Open adopts what runs, learns the exit statuses of
// what ended meanwhile, and completes or takes back what was half done.
//
// Terms: a record is what the database knows of a container; its rw snapshot is
// the writable layer, prepared at create; a run is one life of its process,
// from start to exit, with its own shim.
//
// # Where things are
//
//	Root/meta.db                     records of containers, volumes, networks
//	Root/containers/<id>/            log, exit.json of the last run, hosts, hostname, resolv.conf
//	Root/volumes/<name>/_data        named and anonymous volumes
//	Root/lock, State/lock            held by the engine (flock)
//	State/shim/<id>/                 a living shim: its socket and config.json
//	State/runtime/<id>/              the runtime's state of a container that is not deleted
//	State/endpoints/<id>.json        its address and ports while it is in a network
//	State/mnt/<id>                   mount point of its root file system, seen by its shim alone
//	/sys/fs/cgroup/…/berth[-hash]/<id>
//
// # The life of a container, and what a crash makes of each step
//
//	create   directory, volumes; rw snapshot and record together, at last
//	           before the record: Open takes the directory away
//	start    host files; shim with the container parked; network; clients that
//	         wait are attached; the process is let go; the record says "running"
//	           before the process runs: Open takes shim and network back, the
//	           container is "created" or "exited" as before
//	           after it: Open finds the shim and adopts it, whatever the record says
//	exit     the shim writes exit.json and leaves; network given back; the record
//	         says "exited" or "restarting"; waiters are answered
//	           the engine is dead: Open reads exit.json
//	           the shim is dead: the container is killed through its cgroup, code 255
//	remove   the records of it and its snapshot first; then anonymous volumes, files
//	           after the record: Open takes the rest away
//
// So nothing but the record decides whether a container exists, nothing but a
// shim whether it runs, and every step can be repeated.
//
// Records are written only where a crash would lose something that cannot be
// found out otherwise: not at the start and the end of an AutoRemove container,
// for one. That is most of the synced writes that `run --rm` would cost.
//
// # Locks
//
// See Containers. Clients never wait for a lock that is held over something
// that takes long, with one exception: two transitions of one container.
package engine
