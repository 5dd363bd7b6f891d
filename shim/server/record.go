package server

import (
	"errors"
	"fmt"
	"os"
	"path"

	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"berth/shim/jsonlog"
	"berth/shim/wire"
)

// recordSize is the space that is reserved for an exit record.
const recordSize = 4 << 10

// record is the place where the exit record will be. Its space is taken from the disk
// before the container starts, since the container may fill the disk with its log.
type record struct {
	path     string
	f        *os.File
	unsynced bool // it outlasts every process, but not the host
}

// reserveRecord makes the file that becomes the exit record at path.
func reserveRecord(path string, unsynced bool) (*record, error) {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("reserve exit record: %w", err)
	}
	if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, recordSize); err != nil && err != unix.EOPNOTSUPP {
		f.Close()
		os.Remove(f.Name())
		return nil, fmt.Errorf("reserve exit record %s: %w", path, err)
	}
	return &record{path: path, f: f, unsynced: unsynced}, nil
}

// discard gives the place up.
func (r *record) discard() {
	if r.f != nil {
		r.f.Close()
		os.Remove(r.f.Name())
		r.f = nil
	}
}

// write makes the record durable. It appears whole or not at all, whoever is killed; the
// two syncs are for a crash of the host.
func (r *record) write(x *wire.Exit) error {
	if len(x.Error) > recordSize/8 { // every byte may become six
		x.Error = x.Error[:recordSize/8]
	}
	_, err := r.f.Write(encodeExit(x))
	if err == nil && !r.unsynced {
		err = unix.Fdatasync(int(r.f.Fd()))
	}
	if err = errors.Join(err, r.f.Close()); err == nil {
		err = os.Rename(r.f.Name(), r.path)
	}
	if err == nil {
		r.f = nil
		if !r.unsynced {
			err = syncDir(path.Dir(r.path))
		}
	}
	if err != nil {
		return fmt.Errorf("write exit record: %w", err)
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// encodeExit returns x as JSON, in the shape that encoding/json reads.
func encodeExit(x *wire.Exit) []byte {
	b := jsonlog.AppendString([]byte(`{"ID":`), x.ID)
	b = append(b, `,"PID":`...)
	b = strconv.AppendInt(b, int64(x.PID), 10)
	b = append(b, `,"Status":`...)
	b = strconv.AppendInt(b, int64(x.Status), 10)
	b = append(b, `,"Signal":`...)
	b = strconv.AppendInt(b, int64(x.Signal), 10)
	b = append(b, `,"OOMKilled":`...)
	b = strconv.AppendBool(b, x.OOMKilled)
	if x.Error != "" {
		b = jsonlog.AppendString(append(b, `,"Error":`...), x.Error)
	}
	b = append(b, `,"StartedAt":"`...)
	b = x.StartedAt.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","ExitedAt":"`...)
	b = x.ExitedAt.AppendFormat(b, time.RFC3339Nano)
	return append(b, "\"}\n"...)
}
