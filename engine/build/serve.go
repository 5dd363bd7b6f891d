package build

import (
	"context"
	"net"
	"sync"

	"github.com/containerd/containerd/v2/defaults"
	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc"
)

// serve answers BuildKit's API on the connections that conns gets.
func (b *Builder) serve() {
	b.server = grpc.NewServer(
		grpc.ChainUnaryInterceptor(grpcerrors.UnaryServerInterceptor, b.spare),
		grpc.StreamInterceptor(grpcerrors.StreamServerInterceptor),
		grpc.MaxRecvMsgSize(defaults.DefaultMaxRecvMsgSize),
		grpc.MaxSendMsgSize(defaults.DefaultMaxSendMsgSize),
	)
	b.controller.Register(b.server)
	b.served.Go(func() {
		// It ends with the server alone.
		_ = b.server.Serve(b.conns)
	})
}

// spare keeps what a solve makes from the store's collector until the solve ends and
// leases in the database have it, and takes note of where its steps may run.
func (b *Builder) spare(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if info.FullMethod == controlapi.Control_Solve_FullMethodName {
		b.solving.Add(1)
		defer b.solving.Add(-1)
		lease := b.opts.Store.Images.Lease()
		defer lease.Release()
		if solve, ok := req.(*controlapi.SolveRequest); ok {
			defer b.opts.Steps.places.ask(solve.FrontendAttrs["cgroup-parent"])()
		}
	}
	return handle(ctx, req)
}

// listener hands out connections that are open already.
type listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newListener() *listener {
	return &listener{conns: make(chan net.Conn), done: make(chan struct{})}
}

// add hands conn to who accepts, or closes it when nobody does any more.
func (l *listener) add(conn net.Conn) {
	select {
	case l.conns <- conn:
	case <-l.done:
		conn.Close()
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: "builder", Net: "unix"} }

// dial opens a connection to the builder's own server.
func (b *Builder) dial(context.Context, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	b.conns.add(theirs)
	return ours, nil
}
