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
package engine
