package state

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestImagesOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	f := opened(t, path)
	if diff := cmp.Diff(Image{}, f.Image("fe01")); diff != "" {
		t.Errorf("before the first (-want +got):\n%s", diff)
	}
	first := f.Image("fe01").Next(Image{SHA256: "a", Size: 10, Seen: monday})
	again := first.Next(Image{SHA256: "a", Size: 10, Seen: tuesday})
	other := again.Next(Image{SHA256: "b", Size: 7, Seen: tuesday})
	for _, i := range []Image{first, again, other} {
		if err := f.ObserveImage("fe01", i); err != nil {
			t.Fatal(err)
		}
	}
	want := Image{SHA256: "b", Size: 7, Largest: 10, Seen: tuesday, Changes: 1}
	if diff := cmp.Diff(want, opened(t, path).Image("fe01")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if again.Changes != 0 {
		t.Errorf("the same bytes are no change: %+v", again)
	}
}

func TestImagesAreBounded(t *testing.T) {
	f := opened(t, "")
	for i := range maxImages + 10 {
		if err := f.ObserveImage(fmt.Sprint(i), Image{SHA256: "a", Seen: monday.Add(time.Duration(i))}); err != nil {
			t.Fatal(err)
		}
	}
	f.View(func(d *Data) {
		if len(d.Images) != maxImages {
			t.Errorf("%d images are kept, want %d", len(d.Images), maxImages)
		}
	})
	if f.Image("9").SHA256 != "" || f.Image("10").SHA256 == "" {
		t.Error("not the oldest were dropped")
	}
}
