package diff

import (
	"archive/tar"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"berth/store/sparse"
)

// smallFile is the size up to which the files of a layer are made by
// smallFiles. What is larger costs little beside its bytes.
const smallFile = 64 << 10

// smallFiles make files beside the goroutine that reads a layer's stream:
// making one keeps the kernel busy for longer than all the rest that is done
// about a small file. What is in one directory is made by one goroutine, as
// the kernel lets only one at a time into a directory.
//
// Files are on disk, and their digests in the record, after wait. Until then
// nothing that is under way may be touched, so the applier waits before all
// but new names. Only its goroutine calls the methods.
type smallFiles struct {
	lanes    []lane // none until the first file
	current  *lane
	folder   *folder // that current was chosen for
	slab     *slab
	free     chan *slab
	underWay sync.WaitGroup
	failed   atomic.Bool
}

// lane is a goroutine that makes files, one after the other.
type lane struct {
	todo chan smallJob
	err  error // the goroutine's until underWay was waited for
}

// smallJob is a file to be made.
type smallJob struct {
	sum     []byte // where the digest goes
	in      *folder
	name    string
	hdr     *tar.Header
	content []byte // of the slab
	slab    *slab
}

// noDigest stands for a digest that is under way.
var noDigest = digest.NewDigestFromBytes(digest.SHA256, make([]byte, sha256.Size))

// slab holds the content of some files. Those of a stream are all the memory
// that its small files take, however many there are.
type slab struct {
	data  *[256 << 10]byte
	used  int
	users atomic.Int32
	home  chan<- *slab
}

const slabs = 8

// release tells that one user less needs what is in the slab.
func (s *slab) release() {
	if s.users.Add(-1) == 0 {
		s.home <- s // never blocks: there is a place for each
	}
}

// folder is an open directory, closed when nobody uses it any more.
type folder struct {
	fd    int
	users atomic.Int32
}

func newFolder(fd int) *folder {
	f := &folder{fd: fd}
	f.users.Store(1)
	return f
}

func (f *folder) release() {
	if f.users.Add(-1) == 0 {
		unix.Close(f.fd)
	}
}

// start starts the goroutines.
func (s *smallFiles) start() {
	s.lanes = make([]lane, min(runtime.GOMAXPROCS(0), 4))
	s.free = make(chan *slab, slabs)
	for range slabs {
		s.free <- &slab{data: copyBuffers.Get().(*[256 << 10]byte), home: s.free}
	}
	for i := range s.lanes {
		l := &s.lanes[i]
		l.todo = make(chan smallJob, 512)
		go func() {
			for job := range l.todo {
				if !s.failed.Load() {
					l.do(job)
				}
				if l.err != nil {
					s.failed.Store(true)
				}
				job.in.release()
				job.slab.release()
				s.underWay.Done()
			}
		}()
	}
}

// add has a file made of the next hdr.Size bytes of r, at most smallFile. Its
// entry is recorded already, and its digest goes to sum.
func (s *smallFiles) add(sum []byte, in *folder, name string, hdr *tar.Header, r io.Reader) error {
	if s.lanes == nil {
		s.start()
	}
	if s.failed.Load() {
		return s.wait()
	}
	content, err := s.read(r, int(hdr.Size))
	if err != nil {
		return streamError(err)
	}
	if s.folder != in {
		s.folder, s.current = in, &s.lanes[0]
		for i := range s.lanes {
			if len(s.lanes[i].todo) < len(s.current.todo) {
				s.current = &s.lanes[i]
			}
		}
	}
	in.users.Add(1)
	s.slab.users.Add(1)
	s.underWay.Add(1)
	s.current.todo <- smallJob{sum, in, name, hdr, content, s.slab}
	return nil
}

// read reads size bytes into a slab.
func (s *smallFiles) read(r io.Reader, size int) ([]byte, error) {
	if s.slab != nil && len(s.slab.data)-s.slab.used < size {
		s.slab.release()
		s.slab = nil
	}
	if s.slab == nil {
		s.slab = <-s.free
		s.slab.used = 0
		s.slab.users.Store(1)
	}
	content := s.slab.data[s.slab.used : s.slab.used+size]
	if _, err := io.ReadFull(r, content); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	s.slab.used += size
	return content, nil
}

// wait waits until all files are made, and returns the first thing that went wrong.
func (s *smallFiles) wait() (err error) {
	s.underWay.Wait()
	for i := range s.lanes {
		err = cmp.Or(err, s.lanes[i].err)
	}
	return err
}

// stop ends the goroutines. What is not yet begun is not made.
func (s *smallFiles) stop() {
	s.failed.Store(true)
	s.underWay.Wait()
	for i := range s.lanes {
		close(s.lanes[i].todo)
	}
	if s.slab != nil {
		s.slab.release()
	}
	for range min(len(s.lanes), 1) * slabs {
		copyBuffers.Put((<-s.free).data)
	}
	s.lanes, s.slab = nil, nil
}

// do makes a file.
func (l *lane) do(job smallJob) {
	err := job.make()
	if err != nil {
		l.err = fmt.Errorf("entry %q: %w", shorten(job.hdr.Name), err)
		return
	}
	sum := sha256.Sum256(job.content)
	copy(job.sum, sum[:])
}

func (j *smallJob) make() (err error) {
	fd, err := createFile(j.in.fd, j.name, uint32(j.hdr.Mode)&0o777)
	if err != nil {
		return err
	}
	defer closeFile(fd, &err)
	hole, err := sparse.Write(fd, j.content)
	if err == nil && hole {
		err = unix.Ftruncate(fd, j.hdr.Size)
	}
	if err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return describe(fd, j.hdr, j.hdr.Uid, j.hdr.Gid)
}
