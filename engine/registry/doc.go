// Package registry talks to image registries (OCI distribution-spec, Docker
// Registry HTTP API V2) and moves images between them and the store.
//
// Terms: a Remote knows how registries are reached (TLS, plain HTTP, mirrors,
// retries); a session is one conversation about one repository, with its
// credentials and tokens; a Registry is a Remote with a store and has Pull and
// Push.
//
// The wire protocol (tokens, challenges, blob uploads, mounts) is that of
// containerd's core/remotes/docker. What this package adds is the order of
// things, limits, and reasons:
//
//   - Layers are read through image.Store's Receive, which unpacks them while
//     they download and each once, however many pulls want it. Here lost
//     connections are taken up again.
//   - Nothing a registry sends is read without a bound.
//   - Credentials go to the registry of the name and to the token server that
//     it names, never to a mirror, nor along a redirect to another host.
//   - Errors have a kind of errdefs, docker's words, and say what to do.
//
// Progress is reported as docker's messages (jsonstream.Message), in the words
// and the order of dockerd, for clients read them.
package registry
