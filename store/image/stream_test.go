package image_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

func TestUnpackStreamTakesWhatIsStillArriving(t *testing.T) {
	st := open(t, t.TempDir())
	lease := st.Images.Lease()
	defer lease.Release()
	layer := tarOf(t, "etc/", "", "etc/motd", "hello")
	id := digest.FromBytes(layer)
	opened := 0
	blob := func() (io.ReadCloser, error) {
		opened++
		pr, pw := io.Pipe()
		go func() {
			for _, part := range [][]byte{layer[:700], layer[700:]} {
				pw.Write(part)
			}
			pw.Close()
		}()
		return pr, nil
	}
	if st.Images.HasLayer(t.Context(), id) {
		t.Fatal("the layer is there before it is unpacked")
	}
	for range 2 {
		if err := st.Images.UnpackStream(t.Context(), "", id, id, blob); err != nil {
			t.Fatal(err)
		}
	}
	if opened != 1 {
		t.Errorf("the blob was opened %d times, want once: the second time the layer is there", opened)
	}
	if !st.Images.HasLayer(t.Context(), id) {
		t.Error("the unpacked layer is not found")
	}
}

func TestUnpackStreamKeepsNothingOfABadLayer(t *testing.T) {
	st := open(t, t.TempDir())
	lease := st.Images.Lease()
	defer lease.Release()
	layer := tarOf(t, "motd", "hello")
	id := digest.FromString("something else")
	lost := errors.New("connection lost")
	for want, r := range map[string]io.Reader{
		"the image config says": bytes.NewReader(layer),
		"connection lost":       io.MultiReader(bytes.NewReader(layer[:600]), failing{lost}),
	} {
		err := st.Images.UnpackStream(t.Context(), "", id, id, func() (io.ReadCloser, error) { return io.NopCloser(r), nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if st.Images.HasLayer(t.Context(), id) {
			t.Errorf("%s: the layer is there", want)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
