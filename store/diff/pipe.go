package diff

import (
	"crypto/sha256"
	"hash"
	"io"
	"sync"

	"github.com/opencontainers/go-digest"
)

// pipe reads a stream ahead in a goroutine, so that decompressing it overlaps
// with unpacking it, and hashes it in another on the way. Its buffers go
// round: reader → hasher → consumer → reader.
type pipe struct {
	full   chan *chunk // hashed, to be consumed
	free   chan *chunk
	quit   chan struct{}
	hasher hash.Hash // nil: not to be hashed
	cur    *chunk
	off    int
	err    error
}

// chunk is a piece of the stream. Four of them are all the memory that a
// stream takes, however large it is.
type chunk struct {
	data [256 << 10]byte
	n    int
	err  error // that of the stream after these bytes
}

const pipeDepth = 4

// chunks are used again by the next stream.
var chunks = sync.Pool{New: func() any { return new(chunk) }}

func newPipe(r io.Reader, unhashed bool) *pipe {
	p := &pipe{
		full: make(chan *chunk, pipeDepth),
		free: make(chan *chunk, pipeDepth),
		quit: make(chan struct{}),
	}
	for range pipeDepth {
		p.free <- chunks.Get().(*chunk)
	}
	if unhashed {
		go p.read(r, p.full)
		return p
	}
	p.hasher = sha256.New()
	raw := make(chan *chunk, pipeDepth)
	go p.read(r, raw)
	go p.hash(raw)
	return p
}

// read fills free chunks until the stream ends or the consumer is gone.
func (p *pipe) read(r io.Reader, raw chan<- *chunk) {
	defer close(raw)
	for {
		select {
		case <-p.quit:
			return
		case c := <-p.free:
			c.n, c.err = fill(r, c.data[:])
			err := c.err
			raw <- c // never blocks: there are no more chunks than places
			if err != nil {
				return
			}
		}
	}
}

// fill is io.ReadFull that passes the reader's own error on, so that a stream
// that ends is told from one that is cut off.
func fill(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = r.Read(b[n:])
		n += m
	}
	return n, err
}

// hash passes chunks on to the consumer. It is a goroutine of its own because
// hashing costs about as much as unpacking does.
func (p *pipe) hash(raw <-chan *chunk) {
	defer close(p.full)
	for c := range raw {
		p.hasher.Write(c.data[:c.n])
		p.full <- c
	}
}

// Read returns what is next of the stream.
func (p *pipe) Read(b []byte) (int, error) {
	for p.cur == nil || p.off == p.cur.n {
		if p.err != nil {
			return 0, p.err
		}
		if p.cur != nil {
			p.err = p.cur.err
			p.free <- p.cur
			p.cur = nil
			continue
		}
		c, ok := <-p.full
		if !ok {
			return 0, io.ErrClosedPipe
		}
		p.cur, p.off = c, 0
	}
	n := copy(b, p.cur.data[p.off:p.cur.n])
	p.off += n
	return n, nil
}

// digest is that of the whole stream; it is known when Read returned io.EOF.
func (p *pipe) digest() digest.Digest {
	if p.hasher == nil {
		return ""
	}
	return digest.NewDigest(digest.SHA256, p.hasher)
}

// stop ends the goroutines and waits until the stream is no longer read.
func (p *pipe) stop() {
	close(p.quit)
	// Full is closed when the reader has stopped. What is not free by then is
	// in full, or the one that is being consumed.
	for c := range p.full {
		chunks.Put(c)
	}
	if p.cur != nil {
		chunks.Put(p.cur)
		p.cur = nil
	}
	for len(p.free) > 0 {
		chunks.Put(<-p.free)
	}
}
