package server

import (
	"berth/shim/jsonlog"
	"berth/shim/remotelog"
)

// logWriter takes what a container writes: a jsonlog.Writer, or one behind a queue.
type logWriter interface {
	Write(s jsonlog.Stream, p []byte)
	End(s jsonlog.Stream)
	State() (s jsonlog.State, ok bool)
	Trim()
	Dropped() uint64
	Err() error
	Close() error
}

// noLog is the log of what has none: execs, and containers with the driver "none".
var noLog logWriter = (*jsonlog.Writer)(nil)

// openLog opens the log that the configuration asks for; it goes on from before.
func (s *shim) openLog(before jsonlog.State) (logWriter, error) {
	c := s.cfg.Log
	if c.Driver != "json-file" {
		return noLog, nil
	}
	opts := jsonlog.Options{
		Path: c.Path, MaxSize: c.MaxSize, MaxFiles: c.MaxFiles, Compress: c.Compress, Attrs: c.Attrs,
		Compressed: s.idle.touch,
	}
	if c.Remote.Network != "" {
		remote, err := remotelog.Dial(c.Remote)
		if err != nil {
			return nil, err
		}
		opts.Copy = remote
	}
	w, err := jsonlog.Open(opts)
	if err != nil {
		return nil, err
	}
	w.Restore(before)
	if c.Buffer > 0 {
		return jsonlog.NewRing(w, int(c.Buffer)), nil
	}
	return w, nil
}
