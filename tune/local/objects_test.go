package local_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lambda-parallel-io/tune/local"
)

func parse(t *testing.T, s, prefix string, seed uint64) (objects []local.Object, keys []string, bodies [][]byte) {
	t.Helper()
	objects, err := local.ParseObjects(s, prefix, seed)
	if err != nil {
		t.Fatalf("ParseObjects(%q, %q): %v", s, prefix, err)
	}
	for _, o := range objects {
		body, err := o.Body()
		if err != nil || len(body) != o.Size {
			t.Fatalf("%s of %s has %d bytes, %v; want %d", o.Key, s, len(body), err, o.Size)
		}
		keys, bodies = append(keys, o.Key), append(bodies, body)
	}
	return objects, keys, bodies
}

// Generated objects are different JSON arrays of records in the order of a listing.
func TestGeneratedObjectsDependOnTheSeedAlone(t *testing.T) {
	for _, s := range []string{"200x9KB", "200x1KB-20KB", "200x1500B", "200x9kb", "200X1kib-0.02mb"} {
		_, keys, bodies := parse(t, s, "p/", 1)
		if len(keys) != 200 || !slices.IsSorted(keys) || !strings.HasPrefix(keys[0], "p/") {
			t.Errorf("%s: %d keys from %s on, want 200 below p/ in order", s, len(keys), keys[0])
		}
		for i, body := range bodies {
			var records []struct{ ID string }
			if err := json.Unmarshal(body, &records); err != nil || len(records) < len(body)/250 || records[0].ID == "" {
				t.Errorf("%s: %s has %d records in %d bytes, %v; want an array of records", s, keys[i], len(records), len(body), err)
			}
			if i > 0 && bytes.Equal(body, bodies[i-1]) {
				t.Errorf("%s: %s is the same as the one before", s, keys[i])
			}
		}
		if _, _, again := parse(t, s, "p/", 1); !slices.EqualFunc(bodies, again, bytes.Equal) {
			t.Errorf("%s: the same seed makes other objects", s)
		}
		if _, _, other := parse(t, s, "p/", 2); slices.EqualFunc(bodies, other, bytes.Equal) {
			t.Errorf("%s: another seed makes the same objects", s)
		}
	}
}

func TestSizesBetweenTwoAreLognormal(t *testing.T) {
	objects, err := local.ParseObjects("5000x4KB-400KB", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	var logs []float64
	for _, o := range objects {
		if o.Size < 4_000 || o.Size > 400_000 {
			t.Fatalf("%s has %d bytes, want 4,000 to 400,000", o.Key, o.Size)
		}
		logs = append(logs, math.Log10(float64(o.Size)))
	}
	slices.Sort(logs)
	// The median is 40 KB, and as far below it as above are the quartiles: of a
	// normal distribution 0.674 standard deviations, a quarter of a decade each.
	for share, want := range map[float64]float64{0.5: 4.602, 0.25: 4.602 - 0.32, 0.75: 4.602 + 0.32} {
		if got := logs[int(share*5_000)]; math.Abs(got-want) > 0.04 {
			t.Errorf("the %g quantile is 10^%.3f bytes, want 10^%.3f", share, got, want)
		}
	}
}

// The keys are the files' paths in S3's order, by bytes and not by folders.
func TestAFoldersFilesAreItsObjects(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"a/b": "1", "a.json": "22", "a/c/d e.json": "333", "z": "", "ä": "5"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755), os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	other := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(other, "f"), []byte("linked"), 0o644), os.Symlink(filepath.Join(other, "f"), filepath.Join(dir, "link")),
		os.Symlink(other, filepath.Join(dir, "folder")), os.Symlink(dir, filepath.Join(other, "dir"))); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string][]string{
		"":    {"a.json", "a/b", "a/c/d e.json", "link", "z", "ä"},
		"a":   {"a.json", "a/b", "a/c/d e.json"},
		"a/c": {"a/c/d e.json"},
	} {
		if _, keys, _ := parse(t, filepath.Join(other, "dir"), prefix, 1); !slices.Equal(keys, want) {
			t.Errorf("below %q: %q, want %q", prefix, keys, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "\xff"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := local.ParseObjects(dir, "", 1); err == nil || !strings.Contains(err.Error(), `"\xff" is no key of S3: it must be UTF-8`) {
		t.Errorf("a name that is no key: %v", err)
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "\xff")), os.Symlink("nowhere", filepath.Join(dir, "broken"))); err != nil {
		t.Fatal(err)
	}
	if _, err := local.ParseObjects(dir, "", 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link that leads nowhere: %v", err)
	}
}

func TestImpossibleObjectsAreRefused(t *testing.T) {
	for s, want := range map[string]string{
		"0x9KB": "1 to 1000000 objects from 1KB to 1000MB", "1000001x9KB": "1 to 1000000 objects", "99999999999999999999x9KB": "1 to 1000000 objects",
		"5x999B": "from 1KB", "5x1001MB": "to 1000MB", "5x9KB-8KB": "the smaller size first", "5x99999999999999MB": "to 1000MB",
		"1000x2MB": "1000 objects of 2000.0 MB together: there can be 1000000 of 1000 MB, so narrow them by --prefix",
		"5x9":      "it is no folder", "5x9 apples": "it is no folder", "../../sample.json": "it is no folder",
	} {
		if _, err := local.ParseObjects(s, "", 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseObjects(%q) = %v, want an error with %q", s, err, want)
		}
	}
}
