package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The example in docs/objects.md can replace process.go.
func TestYourOwnWorkIsOneFunctionAsTheDocsShow(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../docs/objects.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(docs), "```go\n")
	example, _, _ = strings.Cut(example, "```")
	here, err := filepath.Abs("process.go")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	own, binary := filepath.Join(dir, "own.go"), filepath.Join(dir, "own")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{here: own}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{own: []byte(example), filepath.Join(dir, "overlay.json"): overlay} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	s3 := newS3(t)
	s3.put(t, "orders/1", []byte(`{"lines": [{"price": 1}, {"price": 2.5}]}`))
	s3.put(t, "orders/2", []byte(`{"lines": []}`))
	s3.put(t, "orders/3", []byte(`{"lines": [{"price": 3}]}`))
	p := startBinary(t, binary, s3.settings()...)
	t.Cleanup(p.end)
	a := p.report(t, map[string]any{"prefix": "orders/", "onFailure": "report"}, time.Minute)
	if a.RecordsRead != 3 || a.Failed != 1 || a.Failures[0].Key != "orders/2" || a.Failures[0].Error != "an order without lines" {
		t.Errorf("records_read %d, failures %+v; want 3, and orders/2 without lines", a.RecordsRead, a.Failures)
	}
}
