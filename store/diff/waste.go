package diff

import (
	"cmp"
	"slices"
)

// Waste is what an image carries and nobody can see. The terms are those of
// dive, so that figures can be compared:
//
//   - every file, empty directory and deletion of every layer counts under its
//     path; a deletion counts with the size of the directory that it deletes,
//     and with nothing if it deletes a file. What an opaque directory has hidden
//     before is not there to be deleted, which dive does not know;
//   - a path that occurs in several layers wastes the sum of all occurrences;
//   - the efficiency is the sum, over all paths, of the smallest occurrence
//     divided by the sum of all occurrences.
type Waste struct {
	Efficiency  float64 // 1 is best
	Size        int64   // bytes of files in all layers
	UserSize    int64   // the same without the lowest layer
	Wasted      int64   // bytes
	UserPercent float64 // Wasted / UserSize, as a fraction; 0 if there is none
	Files       []WastedFile
}

// WastedFile is a path that occurs in several layers.
type WastedFile struct {
	Path  string
	Count int
	Size  int64 // of all occurrences
}

// Analyze computes the waste of layers, lowest first. Files are sorted by what
// they waste, most first.
func Analyze(layers []*Index) (Waste, error) {
	var w Waste
	for i, x := range layers {
		w.Size += x.size
		if i > 0 {
			w.UserSize += x.size
		}
	}
	var smallest, all int64
	m := newMerge(layers)
	for path, ok := m.next(); ok; path, ok = m.next() {
		if path == "/" {
			continue
		}
		f := WastedFile{Path: path}
		least := int64(-1)
		for i, e := range m.heads {
			if e == nil || !m.leaf(i, e) {
				continue
			}
			size := e.Size
			if e.Type == TypeWhiteout {
				var err error
				if size, err = deletedSize(layers[:i], path); err != nil {
					return Waste{}, err
				}
			}
			f.Count++
			f.Size += size
			if least < 0 || size < least {
				least = size
			}
		}
		all += f.Size
		smallest += max(least, 0)
		if f.Count > 1 {
			w.Wasted += f.Size
			w.Files = append(w.Files, f)
		}
	}
	if err := m.err(); err != nil {
		return Waste{}, err
	}
	w.Efficiency = 1
	if all > 0 {
		w.Efficiency = float64(smallest) / float64(all)
	}
	if w.UserSize > 0 {
		w.UserPercent = float64(w.Wasted) / float64(w.UserSize)
	}
	slices.SortStableFunc(w.Files, func(a, b WastedFile) int { return cmp.Compare(b.Size, a.Size) })
	return w, nil
}

// leaf tells whether the entry e of layer i, which its cursor has passed, has
// nothing below it in that layer.
func (m *merge) leaf(i int, e *Entry) bool {
	if !e.IsDir() {
		return true
	}
	next := m.cursors[i].peek()
	return next == nil || !Within(next.Path, e.Path)
}

// deletedSize is the size of the directory that a whiteout hides in the layers
// below it, 0 for anything else.
func deletedSize(below []*Index, path string) (size int64, err error) {
	for u, err := range Merge(below, path) {
		if err != nil {
			return 0, err
		}
		if u.Kind == Deleted {
			continue
		}
		if u.Path == path && !u.IsDir() {
			return 0, nil
		}
		size += u.Size
	}
	return size, nil
}
