package api

import (
	"cmp"
	"io"
	"net/http"

	"berth/engine"

	"github.com/moby/moby/api/types/jsonstream"
)

// importFrom makes an image of an archive that the engine fetches, and tells how far it is.
func (i *imageHandlers) importFrom(w http.ResponseWriter, r *http.Request, src string, o engine.ImportOptions) error {
	from, err := i.write.Fetch(r.Context(), src)
	if err != nil {
		return err
	}
	defer from.Body.Close()
	o.Message = cmp.Or(o.Message, "Imported from "+src)
	p := newProgress(w)
	p.message(jsonstream.Message{Status: "Downloading from " + from.URL})
	id, err := i.write.Import(r.Context(), &importing{from: from, p: p}, o)
	if err == nil {
		p.message(jsonstream.Message{Status: id})
	}
	return p.end(err)
}

// importStep is after how many bytes the progress of an import is sent.
const importStep = 512 << 10

// importing tells how much was read.
type importing struct {
	from       engine.Download
	p          *progress
	read, told int64
}

func (i *importing) Read(b []byte) (int, error) {
	n, err := i.from.Body.Read(b)
	if i.read += int64(n); i.read-i.told >= importStep || err == io.EOF && i.read > i.told {
		i.told = i.read
		i.p.message(jsonstream.Message{Status: "Importing", Progress: &jsonstream.Progress{Current: i.read, Total: max(i.from.Size, 0)}})
	}
	return n, err
}
