// Package build makes images of Dockerfiles. The solver, the cache and the
// Dockerfile frontend are BuildKit's, as a library; what they work on is berth's:
//
//	content and snapshots   store.Store (snapshots.go, content.go), kept by its leases
//	FROM                    local images first (source.go), then registries
//	RUN                     a container of its own for each step, with a shim, like
//	                        every container (executor.go)
//	the result              an image of the store (export.go)
//
// Terms: a solve is one build as BuildKit sees it; a step is one RUN of it; a
// session is the client's connection that a solve gets files, secrets and
// credentials from; the classic builder is the one docker had before BuildKit,
// whose requests and output are translated (classic.go, stream.go).
//
// BuildKit keeps three databases of its own below Options.Root: what it knows of
// snapshots (metadata.db), which results it can reuse (cache.db), and the builds
// that were (history.db). They are opened with the first build and name blobs and
// snapshots of the store, which leases in the store's own database keep. Lost
// databases cost the cache and nothing else.
//
// A killed engine leaves shims of steps and mounts below Options.Mounts behind;
// the next one finds both by their place: the shims have no container's record,
// and Sweep takes the mounts away.
package build
