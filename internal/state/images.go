package state

import "time"

// maxImages bounds how many images are remembered.
const maxImages = 1000

// Image is what is known of an image of firmware under one URL.
type Image struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	// Largest is the most bytes that were ever read under the URL.
	Largest int64 `json:"largest"`
	// Seen is when it was read last.
	Seen time.Time `json:"seen"`
	// Changes is how often other bytes were read than before.
	Changes int `json:"changes,omitempty"`
}

// Next is what is known once an image was read after this one.
func (i Image) Next(read Image) Image {
	read.Changes, read.Largest = i.Changes, max(i.Largest, read.Size)
	if i.SHA256 != "" && i.SHA256 != read.SHA256 {
		read.Changes++
	}
	return read
}

// Image returns what is known of the image with a key, empty for nothing.
func (f *File) Image(key string) Image {
	var out Image
	f.View(func(d *Data) { out = d.Images[key] })
	return out
}

// ObserveImage takes note of an image, in the stead of the one that was not read for longest where there are
// many.
func (f *File) ObserveImage(key string, i Image) error {
	return f.Update(func(d *Data) bool {
		if d.Images == nil {
			d.Images = map[string]Image{}
		}
		d.Images[key] = i
		for len(d.Images) > maxImages {
			oldest := key
			for k, other := range d.Images {
				if other.Seen.Before(d.Images[oldest].Seen) {
					oldest = k
				}
			}
			delete(d.Images, oldest)
		}
		return true
	})
}
