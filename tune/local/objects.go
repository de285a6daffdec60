package local

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/tune/comparison"
)

// Object is an object of the local S3.
type Object struct {
	Key  string
	Size int // bytes
	Body func() ([]byte, error)
}

// maxBytes bounds the objects' total size, because this process holds them twice.
const maxBytes = 1_000_000_000

// stored returns the objects of the local S3 and enters them into the request.
func (m *Model) stored(r *comparison.Request) (objects []Object, err error) {
	if m.Objects != "" {
		r.Prefix, r.PrefixWins = cmp.Or(m.Prefix, new(string)), m.Prefix != nil
		if objects, err = ParseObjects(m.Objects, *r.Prefix, m.Seed); err != nil {
			return nil, fmt.Errorf("--objects %s: %w", m.Objects, err)
		}
		r.Stored = map[string]int{}
		for _, o := range objects {
			r.Stored[o.Key] = o.Size
		}
		return objects, nil
	}
	file := cmp.Or(m.Object, "sample.json")
	if r.Spec.ObjectKey = filepath.ToSlash(filepath.Clean(file)); !filepath.IsLocal(file) { // outside of the working directory
		r.Spec.ObjectKey = filepath.Base(file)
	}
	var body []byte
	if m.Size > 0 {
		body = document(m.Seed, 0, m.Size)
	} else {
		body, err = os.ReadFile(file)
	}
	switch missing := errors.Is(err, os.ErrNotExist) && m.Object == ""; {
	case missing && !r.Ours: // outside of a clone another function may read nothing
		r.Spec.ObjectKey = ""
		return nil, nil
	case missing:
		return nil, fmt.Errorf("%w\nrun it in the root of the clone, or name an object: --object FILE", err)
	case err != nil:
		return nil, fmt.Errorf("--object: %w", err)
	}
	if r.Ours {
		var records []json.RawMessage
		_ = json.Unmarshal(body, &records) // anything but an array has none
		r.Spec.ObjectBytes, r.Spec.Records = len(body), len(records)
	}
	return []Object{{Key: r.Spec.ObjectKey, Body: func() ([]byte, error) { return body, nil }}}, nil
}

// ParseObjects returns the objects that --objects names, in the order of a listing. s is a folder, whose files below
// prefix have their paths as keys (links to folders are not followed), or generated objects, 2000x9KB or
// 2000x4KB-1MB, whose sizes are lognormal between the two. A KB is 1,000 bytes, a KiB 1,024.
func ParseObjects(s, prefix string, seed uint64) (objects []Object, err error) {
	if part := form.FindStringSubmatch(s); part != nil {
		objects, err = generated(part, prefix, seed)
	} else {
		objects, err = folder(s, prefix)
	}
	total := 0
	for _, o := range objects {
		total += o.Size
	}
	if err == nil && (len(objects) > event.MaxObjects || total > maxBytes) {
		const message = "these are %d objects of %.1f MB together: there can be %d of %d MB, so narrow them by --prefix"
		err = fmt.Errorf(message, len(objects), float64(total)/1e6, event.MaxObjects, int(maxBytes/1e6))
	}
	return objects, err
}

func folder(dir, prefix string) (objects []Object, err error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, errors.New("it is no folder: name one, or objects to make, such as 2000x9KB")
	}
	files := os.DirFS(dir)
	err = fs.WalkDir(files, ".", func(key string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(key, prefix) {
			return err
		}
		if len(key) > platform.MaxKeyBytes || !utf8.ValidString(key) {
			return fmt.Errorf("%q is no key of S3: it must be UTF-8 of at most %d bytes", key, platform.MaxKeyBytes)
		}
		info, err := fs.Stat(files, key)
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		objects = append(objects, Object{key, int(info.Size()), func() ([]byte, error) { return fs.ReadFile(files, key) }})
		return nil
	})
	slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.Key, b.Key) })
	if err == nil && len(objects) == 0 {
		err = fmt.Errorf("it has no file below the prefix %q", prefix)
	}
	return objects, err
}

var form = regexp.MustCompile(`(?i)^(\d+)x(\d[\d.]*[kmg]?i?b)(?:-(\d[\d.]*[kmg]?i?b))?$`)

// generated returns the same objects for the same seed. Their sizes are lognormal: 95 %
// of the draws are between the two sizes, and the others are repeated.
func generated(part []string, prefix string, seed uint64) ([]Object, error) {
	n, _ := strconv.Atoi(part[1]) // with too many digits, the largest int
	small, err := humanize.ParseBytes(part[2])
	large, err2 := humanize.ParseBytes(cmp.Or(part[3], part[2]))
	least, most := float64(small), float64(large)
	if errors.Join(err, err2) != nil || n < 1 || n > event.MaxObjects || least < 1_000 || least > most || most > maxBytes {
		return nil, fmt.Errorf("there must be 1 to %d objects from 1KB to %dMB, the smaller size first", event.MaxObjects, int(maxBytes/1e6))
	}
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	low, high := math.Log(least), math.Log(most)
	objects := make([]Object, n)
	for i := range objects {
		size := 0.0
		for size < least || size > most {
			size = math.Round(math.Exp((low+high)/2 + (high-low)/4*r.NormFloat64()))
		}
		body := func() ([]byte, error) { return document(seed, uint64(i), int(size)), nil }
		objects[i] = Object{fmt.Sprintf("%s%07d.json", prefix, i+1), int(size), body}
	}
	return objects, nil
}

// document returns a JSON array of records like sample.json's, padded with spaces to exactly size bytes, at least 2.
func document(seed, i uint64, size int) []byte {
	r := rand.New(rand.NewPCG(seed, i))
	b := append(make([]byte, 0, size), '[')
	for id, comma := 1, ""; ; id, comma = id+1, ",\n" {
		record := comma + fmt.Sprintf(`{"id": "ord-%d", "placed": "2024-%02d-%02dT%02d:%02d:00Z", "customer": {"id": %d, "city": "Porto"}, `+
			`"items": [{"sku": "TOY-%d", "category": "toys", "quantity": %d, "price": %d.%02d}], "status": "packed", "gift": %t}`,
			id, 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(10_000), r.IntN(1_000), 1+r.IntN(9), r.IntN(500), r.IntN(100), r.IntN(2) == 1)
		if len(b)+len(record)+len("]") > size {
			b = append(b, bytes.Repeat([]byte(" "), size-len(b)-1)...)
			return append(b, ']')
		}
		b = append(b, record...)
	}
}
