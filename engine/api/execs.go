package api

import (
	"context"
	"net/http"

	"berth/engine"

	"github.com/moby/moby/api/types/container"
)

// execs are the further processes of running containers.
type execs interface {
	ExecCreate(ctx context.Context, ref string, o engine.ExecOptions) (string, error)
	ExecStart(ctx context.Context, id string, o engine.ExecStartOptions) error
	ExecInspect(ctx context.Context, id string) (container.ExecInspectResponse, error)
	ExecResize(ctx context.Context, id string, height, width uint) error
}

// execHandlers answer /containers/{id}/exec and /exec/….
type execHandlers struct{ execs execs }

func (e *execHandlers) routes(rt *router) {
	rt.on("POST /containers/{id}/exec", e.create)
	rt.on("POST /exec/{id}/start", e.start)
	rt.on("POST /exec/{id}/resize", e.resize)
	rt.on("GET /exec/{id}/json", e.inspect)
}

// create answers POST /containers/{id}/exec with 201 and the ID of the exec, which start then runs.
func (e *execHandlers) create(w http.ResponseWriter, r *http.Request) error {
	var req container.ExecCreateRequest
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if len(req.Cmd) == 0 {
		return invalid("No exec command specified")
	}
	o := engine.ExecOptions{
		User: req.User, Privileged: req.Privileged, Tty: req.Tty,
		AttachStdin: req.AttachStdin, AttachStdout: req.AttachStdout, AttachStderr: req.AttachStderr,
		DetachKeys: req.DetachKeys, Env: req.Env, WorkingDir: req.WorkingDir, Cmd: req.Cmd,
	}
	if !versionOf(r).before(42) {
		o.ConsoleSize = req.ConsoleSize
	}
	id, err := e.execs.ExecCreate(r.Context(), r.PathValue("id"), o)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, container.ExecCreateResponse{ID: id})
}

// start answers POST /exec/{id}/start: with Detach at once, else the connection becomes the stream of the process, whose
// exit code inspect tells once the stream has ended.
func (e *execHandlers) start(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	var req container.ExecStartRequest
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if req.ConsoleSize != nil && (versionOf(r).before(42) || !req.Tty) {
		req.ConsoleSize = nil
	}
	o := engine.ExecStartOptions{Detach: req.Detach, Tty: req.Tty, ConsoleSize: req.ConsoleSize}
	if req.Detach {
		if err := e.execs.ExecStart(r.Context(), id, o); err != nil {
			return err
		}
		w.WriteHeader(http.StatusOK)
		return nil
	}
	// What can be known to be wrong is said while there is still a status to say it with.
	if _, err := e.execs.ExecInspect(r.Context(), id); err != nil {
		return err
	}
	s, err := hijack(w, r, req.Tty)
	if err != nil {
		return err
	}
	defer s.Close()
	o.Mux, o.Conn, o.Pending = !req.Tty, s.file, s.pending
	if err := e.execs.ExecStart(r.Context(), id, o); err != nil {
		s.fail(err)
		return err
	}
	return nil
}

// resize answers POST /exec/{id}/resize?h=&w= (characters) with 200.
func (e *execHandlers) resize(w http.ResponseWriter, r *http.Request) error {
	height, width, err := sizeOf(r)
	if err != nil {
		return err
	}
	if err := e.execs.ExecResize(r.Context(), r.PathValue("id"), height, width); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// inspect answers GET /exec/{id}/json; ExitCode is null while the process runs.
func (e *execHandlers) inspect(w http.ResponseWriter, r *http.Request) error {
	found, err := e.execs.ExecInspect(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, found)
}
