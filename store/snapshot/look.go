package snapshot

import "berth/store/meta"

// Look returns the snapshots under directory root for reading only: nothing on disk is
// made or removed. db may be a copy.
func Look(root string, db *meta.DB) (*Overlay, error) {
	o := &Overlay{root: root, db: db, hold: func(string) {}, all: make(map[string]*record), kids: make(map[string]int), leaving: make(map[string]bool), driver: OverlayDriver}
	var err error
	if o.records, err = meta.NewBucket[record](db, "snapshots"); err != nil {
		return nil, err
	}
	return o, o.records.ForEach(func(key string, r record) error {
		o.all[key] = &r
		if r.Parent != "" {
			o.kids[r.Parent]++
		}
		return nil
	})
}
