package inflate

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/containerd/errdefs"
)

// text is n bytes that compress as files do: words, runs, and noise in between.
func text(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var words [][]byte
	for range 500 {
		w := make([]byte, 1+r.IntN(12))
		for i := range w {
			w[i] = byte('a' + r.IntN(1+r.IntN(26)))
		}
		words = append(words, w)
	}
	var b []byte
	for len(b) < n {
		switch r.IntN(40) {
		case 0:
			b = append(b, bytes.Repeat([]byte{byte(r.Uint32())}, r.IntN(2000))...)
		case 1:
			for range r.IntN(600) {
				b = append(b, byte(r.Uint32()))
			}
		case 2:
			if len(b) > 0 {
				from := r.IntN(len(b))
				b = append(b, b[from:min(len(b), from+r.IntN(500))]...)
			}
		default:
			b = append(append(b, words[r.IntN(len(words))]...), ' ')
		}
	}
	return b[:n]
}

func compress(t testing.TB, level int, b []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, level)
	if err == nil {
		_, err = w.Write(b)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// member is a gzip member of a deflate stream.
func member(deflated, content []byte) []byte {
	b := append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}, deflated...)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(content))
	return binary.LittleEndian.AppendUint32(b, uint32(len(content)))
}

func inflate(r io.Reader) ([]byte, error) {
	z, err := NewReader(r)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	return io.ReadAll(z)
}

func TestStreamsOfEveryLevel(t *testing.T) {
	for _, n := range []int{0, 1, 300, 70_000, 3_000_000} {
		want := text(n)
		for _, level := range []int{gzip.HuffmanOnly, gzip.NoCompression, 1, 6, 9} {
			for name, wrap := range map[string]func(io.Reader) io.Reader{
				"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "end with data": iotest.DataErrReader,
			} {
				got, err := inflate(wrap(bytes.NewReader(compress(t, level, want))))
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes, level %d, %s: %d bytes, %v", n, level, name, len(got), err)
				}
			}
		}
	}
	want := text(40_000)
	if got, err := inflate(iotest.OneByteReader(bytes.NewReader(compress(t, 6, want)))); err != nil || !bytes.Equal(got, want) {
		t.Errorf("byte by byte: %d bytes, %v", len(got), err)
	}
}

func TestMembersFollowEachOther(t *testing.T) {
	a, b := text(100_000), text(50)
	stream := append(compress(t, 9, a), compress(t, 1, b)...)
	got, err := inflate(bytes.NewReader(stream))
	if err != nil || !bytes.Equal(got, append(a, b...)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// A member knows nothing of what the one before wrote.
	var out bytes.Buffer
	w, err := flate.NewWriterDict(&out, 9, a[:1000])
	if err != nil {
		t.Fatal(err)
	}
	w.Write(a[:1000])
	w.Close()
	if _, err := inflate(bytes.NewReader(append(compress(t, 9, a[:1000]), member(out.Bytes(), a[:1000])...))); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a copy from the member before: %v", err)
	}
}

func TestHeaders(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name, w.Comment, w.Extra = "name", "comment", bytes.Repeat([]byte{7}, 300)
	w.Write([]byte("content"))
	w.Close()
	if got, err := inflate(&b); err != nil || string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
	header := []byte{0x1f, 0x8b, 8, flagHeaderSum, 0, 0, 0, 0, 0, 255}
	sum := crc32.ChecksumIEEE(header)
	rest := compress(t, 6, []byte("content"))[10:]
	for _, off := range []uint32{0, 1} {
		stream := append(binary.LittleEndian.AppendUint16(bytes.Clone(header), uint16(sum+off)), rest...)
		if got, err := inflate(bytes.NewReader(stream)); (off == 0) != (err == nil && string(got) == "content") {
			t.Errorf("a header's sum with %d added: %q, %v", off, got, err)
		}
	}
}

// TestLongNames has names in the header that the format allows and Go's gzip does not.
func TestLongNames(t *testing.T) {
	stream := []byte{0x1f, 0x8b, 8, flagName | flagComment, 0, 0, 0, 0, 0, 255}
	for _, n := range []int{512, inSize + 10} {
		stream = append(append(stream, bytes.Repeat([]byte("n"), n)...), 0)
	}
	stream = append(stream, compress(t, 6, []byte("content"))[10:]...)
	if got, err := inflate(bytes.NewReader(stream)); err != nil || string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := gzip.NewReader(bytes.NewReader(stream)); err == nil {
		t.Error("Go's gzip takes them, too")
	}
}

// TestClosedBeside closes readers that are being read from. Those that come after have
// their memory.
func TestClosedBeside(t *testing.T) {
	want := text(600_000)
	stream := compress(t, 6, want)
	for range 20 {
		z, err := NewReader(bytes.NewReader(stream))
		if err != nil {
			t.Fatal(err)
		}
		begun, ended := make(chan struct{}), make(chan error)
		go func() {
			_, err := z.Read(make([]byte, 1))
			close(begun)
			for err == nil {
				_, err = z.Read(make([]byte, 1000))
			}
			ended <- err
		}()
		<-begun
		z.Close()
		if got, err := inflate(bytes.NewReader(stream)); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("another stream: %d bytes, %v", len(got), err)
		}
		if err := <-ended; err != errClosed && err != io.EOF {
			t.Errorf("the one that was closed: %v", err)
		}
	}
}

func TestEveryCutIsUnexpected(t *testing.T) {
	for _, level := range []int{0, 1, 9} {
		whole := compress(t, level, text(3000))
		for n := range whole {
			if _, err := inflate(bytes.NewReader(whole[:n])); err != io.ErrUnexpectedEOF {
				t.Fatalf("level %d, %d of %d bytes: %v", level, n, len(whole), err)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	good := compress(t, 6, text(5000))
	flip := func(at int) []byte {
		b := bytes.Clone(good)
		b[(at+len(b))%len(b)] ^= 0x10
		return b
	}
	for what, stream := range map[string][]byte{
		"magic": flip(0), "method": flip(2), "sum": flip(-8), "size": flip(-1),
		"garbage behind":         append(bytes.Clone(good), "garbage that is longer than a header"...),
		"kind of block":          member([]byte{7}, nil),
		"stored of two sizes":    member([]byte{1, 1, 0, 1, 0, 'x'}, []byte("x")),
		"before the beginning":   member([]byte{0x4b, 0x04, 0x12, 0}, []byte("a")),
		"too many codes":         member([]byte{0xfd, 0xff, 0xff, 0xff, 0xff}, nil),
		"end within the trailer": good[:len(good)-3],
	} {
		_, err := inflate(bytes.NewReader(stream))
		if !errdefs.IsInvalidArgument(err) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", what, err)
		}
	}
	broken := errors.New("broken")
	if _, err := inflate(io.MultiReader(bytes.NewReader(good[:100]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a source that breaks: %v", err)
	}
	z, err := NewReader(bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	z.Close()
	if n, err := z.Read(make([]byte, 10)); n != 0 || err == nil {
		t.Errorf("read of a closed one: %d, %v", n, err)
	}
}

// FuzzInflate holds it against Go's own.
func FuzzInflate(f *testing.F) {
	for _, level := range []int{gzip.HuffmanOnly, 0, 1, 9} {
		for _, n := range []int{0, 10, 2000} {
			b := compress(f, level, text(n))
			f.Add(b[10:len(b)-8], true)
		}
	}
	f.Add([]byte{0x05, 0xe0, 0x81, 0x08, 0, 0, 0, 0, 0x20, 0x7f, 0xeb, 0x0b, 0, 0}, true) // a single code
	f.Add([]byte("2\x01 00000"), false)                                                   // a stored block, taken back across a read
	f.Fuzz(func(t *testing.T, deflated []byte, whole bool) {
		const most = 4 << 20
		src := bytes.NewReader(deflated)
		want, werr := io.ReadAll(io.LimitReader(flate.NewReader(src), most))
		if len(want) == most {
			return
		}
		stream := deflated[:len(deflated)-src.Len()]
		if werr == nil {
			stream = member(stream, want)
		} else {
			stream = member(deflated, want)
		}
		r := io.Reader(bytes.NewReader(stream))
		if !whole {
			r = iotest.HalfReader(r)
		}
		got, err := inflate(r)
		if werr == nil && (err != nil || !bytes.Equal(got, want)) {
			t.Fatalf("%d bytes, %v; want %d", len(got), err, len(want))
		}
		if werr != nil && err == nil {
			t.Fatalf("%d bytes of a stream that has the error %v", len(got), werr)
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	want := text(8 << 20)
	stream := compress(b, 6, want)
	buf := make([]byte, 256<<10)
	b.SetBytes(int64(len(want)))
	for b.Loop() {
		z, err := NewReader(bytes.NewReader(stream))
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = z.Read(buf)
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		z.Close()
	}
}
