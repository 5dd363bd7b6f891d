// Package api is the HTTP side of the engine: every handler of the Docker Engine API and of berth's own routes.
//
// A handler decodes a request, calls the engine and encodes the answer, and does nothing else. Each declares the slice
// of the engine it uses as a small interface next to it, so that it can be tested alone. What differs between versions
// of the API ("quirks") is here and nowhere else; the engine knows only the newest.
//
// Requests pass, from the outside in: [Server] (connections) → api (common headers, errors) → versioned (the /v1.47
// prefix) → router → handler. A handler returns an error; its kind (github.com/containerd/errdefs) becomes the status in
// statusOf and its text the {"message": …} of the body.
//
// Terms: a stream is a connection that attach or exec has taken from HTTP ("hijacked") and handed, as a descriptor, to
// the shim of the container. Multiplexed output has docker's 8-byte frames, raw output has not.
//
// The package imports engine and what stands below it, never the console. It holds no locks while it calls the engine.
package api
