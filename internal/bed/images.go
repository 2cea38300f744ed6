//go:build linux

package bed

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

const (
	// ImageSize is the size of the phone's firmware in bytes, as the guide
	// gives it (step 27).
	ImageSize = 15 << 20
	// CutImageSize is the size of the image that ImageCut serves, and what
	// ImageCutOff sends before it closes the connection.
	CutImageSize = ImageSize / 3
)

// image is one of the files that play firmware, beside the cached domain.
// All are random bytes that are the same in every bed.
type image string

const (
	wholeImage image = "image.nbt"
	// otherImage has the size of the first and other bytes.
	otherImage image = "image-other.nbt"
	// cutImage is the beginning of the first.
	cutImage image = "image-cut.nbt"
)

func (i image) path() string {
	return filepath.Join(cacheDir(), string(i))
}

// make writes the file when this user has none yet.
func (i image) make(seed byte, size int64) error {
	if info, err := os.Stat(i.path()); err == nil && info.Size() == size {
		return nil
	}
	file, err := os.CreateTemp(cacheDir(), "new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = io.CopyN(file, rand.NewChaCha8([32]byte{seed}), size)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), i.path())
}

// makeImages makes all images. The directory was made for the domain.
func makeImages() error {
	return errors.Join(
		wholeImage.make(1, ImageSize), otherImage.make(2, ImageSize), cutImage.make(1, CutImageSize))
}

// ImageFile is the firmware that healthy front ends serve as CPE.nbt.
func (b *Bed) ImageFile() string {
	return wholeImage.path()
}

// OtherImageFile is the firmware that ImageChanged serves instead. Healthy
// front ends serve it as the interim image.
func (b *Bed) OtherImageFile() string {
	return otherImage.path()
}
