package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// There are 3,000 objects, one in a hundred of them broken, and another prefix that
// begins alike; the first calls are throttled. Each object is counted once, and the
// results name the objects that failed. A second execution, over exactly these
// objects after they were repaired, completes the job.
func TestEachOfThreeThousandObjectsIsCountedOnceAndTheBrokenOnesAgain(t *testing.T) {
	j := deployed(t, map[string]string{"bucket": "my-documents", "prefix": "orders/"}, time.Minute)
	keys, broken := j.fill("orders/", 3_000, func(i int) bool { return i%100 == 42 })
	j.fill("orders-2/", 3, func(int) bool { return true })
	j.serve(http.MethodPut, j.bucket, "orders/", nil) // a folder marker
	j.fault = func(call int64, _ []string) error {
		if call <= 4 {
			return &failure{"Lambda.TooManyRequestsException", "Rate Exceeded."}
		}
		return nil
	}
	if _, err := j.run(t.Context(), "first", `{"batch": 500}`); err != nil {
		t.Fatal(err)
	}
	sum, failed, file := j.read(t, "first", "SUCCEEDED")
	if sum.ObjectsRead != 2_970 || sum.RecordsRead != 2*2_970 || sum.Failed != 30 || sum.Unread != 0 || sum.FolderMarkers != 1 {
		t.Errorf("the results say %+v; want 2,970 read, 5,940 records, 30 failed, one folder marker", sum)
	}
	if diff := cmp.Diff(broken, failed); diff != "" {
		t.Errorf("the failed keys in the results (-want +got):\n%s", diff)
	}
	for _, key := range keys {
		if n := j.gets[key]; n != 1 && !slices.Contains(broken, key) {
			t.Fatalf("%s was read %d times, want once", key, n)
		}
	}
	if len(j.gets) != 3_000 {
		t.Errorf("%d keys were read, want the 3,000 below the prefix", len(j.gets))
	}
	if j.calls.Load() != 7+4 || len(j.delays) != 4 || j.peak.Load() > 3 {
		t.Errorf("%d calls, %d of them again, %d at a time; want 7 batches of 500, 4 again, at most the 3 of Pulumi.yaml", j.calls.Load(), len(j.delays), j.peak.Load())
	}
	for _, put := range j.puts {
		if !strings.HasPrefix(put, j.results+"/runs/first/") {
			t.Errorf("%s was written: results belong in their own bucket, below the execution's name", put)
		}
	}

	for _, key := range broken {
		j.serve(http.MethodPut, j.bucket, key, []byte("[{}]"))
	}
	clear(j.gets)
	if _, err := j.run(t.Context(), "second", fmt.Sprintf(`{"keysFrom": %q, "batch": 7}`, file)); err != nil {
		t.Fatal(err)
	}
	sum, failed, _ = j.read(t, "second", "SUCCEEDED")
	if sum.ObjectsRead != 30 || sum.Failed != 0 || len(failed) > 0 || len(j.gets) != 30 {
		t.Errorf("the second execution: %+v, %d failed keys, %d keys read; want 30, none, 30", sum, len(failed), len(j.gets))
	}
	for _, key := range broken {
		if j.gets[key] != 1 {
			t.Errorf("the second execution read %s %d times, want once", key, j.gets[key])
		}
	}
}

// A batch fails if its call fails. More failed batches than are tolerated end the
// execution, and a redrive runs only the failed batches again.
func TestABatchWhoseCallFailsIsToleratedOrRunAgain(t *testing.T) {
	j := deployed(t, map[string]string{"bucket": "my-documents"}, time.Minute)
	keys, _ := j.fill("orders/", 100, func(int) bool { return false })
	crash := func(_ int64, keys []string) error {
		if slices.Contains(keys, "orders/000035.json") {
			return &failure{"Runtime.ExitError", "signal: killed"}
		}
		return nil
	}
	j.fault = crash
	for _, test := range []struct {
		name, input string
		fails       bool
	}{
		{"tolerated", `{"prefix": "orders/", "batch": 10, "toleratedFailurePercentage": 10}`, false},
		{"not-tolerated", `{"prefix": "orders/", "batch": 10, "toleratedFailurePercentage": 9}`, true},
		{"by-default", `{"prefix": "orders/", "batch": 10, "children": 1}`, true},
	} {
		_, err := j.run(t.Context(), test.name, test.input)
		var f *failure
		if errors.As(err, &f) != test.fails || f != nil && f.name != "States.ExceedToleratedFailureThreshold" {
			t.Errorf("%s: %v, want an execution that fails: %v", test.input, err, test.fails)
		}
		if _, failed, _ := j.read(t, test.name, "FAILED"); !slices.Equal(failed, keys[30:40]) {
			t.Errorf("%s: the results name %v as failed, want the batch %v", test.input, failed, keys[30:40])
		}
	}
	if _, pending, _ := j.read(t, "by-default", "PENDING"); !slices.Equal(pending, keys[40:]) {
		t.Errorf("%d keys are pending, want the 60 after the batch that failed", len(pending))
	}

	j.fault = nil
	for _, name := range []string{"not-tolerated", "by-default"} {
		before, _, _ := j.read(t, name, "SUCCEEDED")
		calls, again := j.calls.Load(), int64(100-before.ObjectsRead)/10
		if _, err := j.run(t.Context(), name, `{"prefix": "orders/", "batch": 10}`); err != nil {
			t.Errorf("redrive of %s: %v", name, err)
		}
		if sum, _, _ := j.read(t, name, "SUCCEEDED"); sum.ObjectsRead != 100 || j.calls.Load() != calls+again {
			t.Errorf("redrive of %s: objects_read %d after %d more calls, want 100 after %d", name, sum.ObjectsRead, j.calls.Load()-calls, again)
		}
	}
}

// A list of failed batches keeps the size and storage class of its objects. So
// objects skipped in the first execution are skipped in later ones, too.
func TestWhatIsPassedOverStaysSoWhenFailedBatchesAreRunAgain(t *testing.T) {
	page, err := os.ReadFile("../docs/batch.md")
	if err != nil || !strings.Contains(string(page), "| .Items[] | select(.Key)' > failed.jsonl") {
		t.Fatalf("docs/batch.md has another recipe than this test tries (%v)", err)
	}
	j := deployed(t, map[string]string{"bucket": "my-documents"}, time.Minute)
	j.fill("orders/", 10, func(i int) bool { return i == 4 })
	j.serve(http.MethodPut, j.bucket, "orders/", nil) // a folder marker
	j.fault = func(call int64, _ []string) error {
		if call == 1 {
			return &failure{"Runtime.ExitError", "signal: killed"}
		}
		return nil
	}
	if _, err := j.run(t.Context(), "first", `{"prefix": "orders/", "toleratedFailurePercentage": 100}`); err != nil {
		t.Fatal(err)
	}
	var list bytes.Buffer
	_, _, file := j.read(t, "first", "FAILED")
	lines, err := j.get(j.results, file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(lines) {
		var batch struct{ Input string }
		var input struct{ Items []json.RawMessage }
		if err := errors.Join(json.Unmarshal(line, &batch), json.Unmarshal([]byte(batch.Input), &input)); err != nil {
			t.Fatal(err)
		}
		for _, item := range input.Items {
			fmt.Fprintf(&list, "%s\n", item)
		}
	}
	// Merged lists may name an object twice.
	j.serve(http.MethodPut, j.results, "lists/failed.jsonl", bytes.Repeat(list.Bytes(), 2))
	next := "lists/failed.jsonl"
	for _, name := range []string{"second", "third"} {
		if _, err := j.run(t.Context(), name, fmt.Sprintf(`{"keysFrom": %q}`, next)); err != nil {
			t.Fatal(err)
		}
		sum, failed, file := j.read(t, name, "SUCCEEDED")
		if !slices.Equal(failed, []string{"orders/000004.json"}) || sum.Failed != 1 || name == "second" && (sum.FolderMarkers != 1 || sum.ObjectsRead != 9 || sum.Duplicates != 11) {
			t.Errorf("the %s execution: %+v, failed %v; want one folder marker, 9 read and 11 duplicates at first, and the broken object alone", name, sum, failed)
		}
		next = file
	}
	if last, err := j.get(j.results, next); err != nil || !strings.Contains(string(last), `"Size":11,"StorageClass":"STANDARD"`) {
		t.Errorf("the last list is %s (%v), want size and storage class beside the key", last, err)
	}
}

// A call that runs out of time returns the results so far, and the results also name
// the objects that it has not read.
func TestKeysThatWereLeftUnreadAreForASecondExecution(t *testing.T) {
	j := deployed(t, map[string]string{"bucket": "my-documents"}, 6*time.Second)
	j.fill("orders/", 100, func(i int) bool { return i == 3 })
	j.silent = "orders/000077.json"
	if _, err := j.run(t.Context(), "first", `{"prefix": "orders/", "batch": 50}`); err != nil {
		t.Fatal(err)
	}
	sum, failed, file := j.read(t, "first", "SUCCEEDED")
	if want := []string{"orders/000003.json", j.silent}; sum.ObjectsRead != 98 || sum.Failed != 1 || sum.Unread != 1 || !slices.Equal(failed, want) {
		t.Errorf("the results say %d read, %d failed, %d unread, and name %v; want 98, 1, 1, %v", sum.ObjectsRead, sum.Failed, sum.Unread, failed, want)
	}
	j.silent = ""
	// With a batch size of 1, each batch holds one line of the file: an answer, which has no Key, or a key.
	if _, err := j.run(t.Context(), "second", fmt.Sprintf(`{"keysFrom": %q, "batch": 1}`, file)); err != nil {
		t.Fatal(err)
	}
	if sum, failed, _ := j.read(t, "second", "SUCCEEDED"); sum.ObjectsRead != 1 || !slices.Equal(failed, []string{"orders/000003.json"}) {
		t.Errorf("the second execution read %d and names %v; want 1 and the object that is still broken", sum.ObjectsRead, failed)
	}
}

// An inventory has URL-encoded keys, and sizes as text.
func TestAnS3InventoryIsReadLikeAListing(t *testing.T) {
	j := deployed(t, map[string]string{"bucket": "my-documents", "batchInventory": "s3://my-inventories/all/"}, time.Minute)
	j.serve(http.MethodPut, j.bucket, "orders/ä b+c%2F.json", []byte(`[1, 2, 3]`))
	j.serve(http.MethodPut, j.bucket, "orders/1.json", []byte(`[1]`))
	for schema, lines := range map[string]string{
		"Bucket, Key, Size, StorageClass": `"my-documents","orders/","0","STANDARD"` + "\n" + `"my-documents","orders/%C3%A4+b%2Bc%252F.json","9","STANDARD"` + "\n" +
			`"my-documents","orders/1.json","3","STANDARD"` + "\n" + `"my-documents","orders/2.json","3","GLACIER"` + "\n" +
			`"my-documents","orders/deleted.json","",""` + "\n", // a delete marker, in an inventory of all versions
		"Bucket, Key": `"my-documents","orders/%C3%A4+b%2Bc%252F.json"` + "\n" + `"my-documents","orders/1.json"` + "\n",
	} {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := io.WriteString(z, lines); err != nil || z.Close() != nil {
			t.Fatal(err)
		}
		j.serve(http.MethodPut, "my-inventories", "all/data/1.csv.gz", packed.Bytes())
		j.serve(http.MethodPut, "my-inventories", "all/manifest.json", fmt.Appendf(nil, `{"fileFormat": "CSV", "fileSchema": %q, "files": [{"key": "all/data/1.csv.gz"}]}`, schema))
		if _, err := j.run(t.Context(), schema, `{"inventory": "all/manifest.json"}`); err != nil {
			t.Fatal(err)
		}
		sum, failed, _ := j.read(t, schema, "SUCCEEDED")
		skipped := strings.Count(schema, "Size") // as many are delete markers
		if sum.ObjectsRead != 2 || sum.RecordsRead != 4 || sum.FolderMarkers != skipped || sum.Archived != skipped || len(failed) != skipped {
			t.Errorf("an inventory of %s: %+v, failed %v; want 4 records of 2 objects, %d folder marker, archived object and deleted one", schema, sum, failed, skipped)
		}
	}
}

// An answer has at most 240 KB. If so many objects fail that it cannot name the
// unread ones, the execution fails and no object is silently lost.
func TestABatchThatFailsAtTooGreatLengthIsAFailedBatch(t *testing.T) {
	j := deployed(t, map[string]string{"bucket": "my-documents"}, time.Minute)
	j.fill("orders/"+strings.Repeat("x", 150), 1_000, func(int) bool { return true })
	_, err := j.run(t.Context(), "long", `{"prefix": "orders/"}`)
	if _, failed, _ := j.read(t, "long", "FAILED"); err == nil || len(failed) < 500 {
		t.Errorf("%v with %d failed keys, want a failure that names all of a batch", err, len(failed))
	}
	if _, err := j.run(t.Context(), "shorter", `{"prefix": "orders/", "batch": 200}`); err != nil {
		t.Error(err)
	}
	if sum, failed, _ := j.read(t, "shorter", "SUCCEEDED"); sum.Failed != 1_000 || len(failed) != 1_000 {
		t.Errorf("a smaller batch: %d failed, %d named, want 1,000", sum.Failed, len(failed))
	}
}

func TestAnInputThatIsNotMeantIsRefusedBeforeAnythingIsRead(t *testing.T) {
	j := deployed(t, map[string]string{"bucket": "my-documents"}, time.Minute)
	j.fill("orders/", 1, func(int) bool { return false })
	for _, input := range []string{`{"prefx": "orders/"}`, `{"inventory": "all/manifest.json"}`, `{"children": 0}`, `{"children": 10001}`, `{"batch": 0}`, `{"batch": 1.5}`} {
		_, err := j.run(t.Context(), input, input)
		var f *failure
		if !errors.As(err, &f) || f.name != "Input" || !strings.Contains(f.cause, "toleratedFailurePercentage") || j.calls.Load() > 0 {
			t.Errorf("%s: %v after %d calls, want it refused with the known fields", input, err, j.calls.Load())
		}
	}
}
