package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"lambda-parallel-io/tune/comparison"
	"lambda-parallel-io/tune/plan"
)

// docs/deploy.md names the actual keys, defaults, outputs and regions.
func TestThePageNamesEveryKeyWithItsDefaultAndEveryOutputAndRegion(t *testing.T) {
	b, err := os.ReadFile("../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	proj, _ := loadProject(t)
	for key, declared := range proj.Config {
		value := fmt.Sprint(declared.Default)
		if value == "" {
			value = "empty"
		}
		if row := fmt.Sprintf("| `%s` | %s |", key, value); !strings.Contains(page, row) {
			t.Errorf("docs/deploy.md has no row %q", row)
		}
	}
	for _, region := range repositoryRegions {
		if !strings.Contains(page, region) {
			t.Errorf("docs/deploy.md does not name the region %s", region)
		}
	}
	for _, set := range []map[string]string{nil, {"bucket": "my-documents"}} {
		_, outs := mustDeploy(t, set)
		for name := range outs {
			if !strings.Contains(page, "`"+name+"`") {
				t.Errorf("docs/deploy.md does not name the output %s", name)
			}
		}
	}
}

// docs/batch.md names the fields that the state machine accepts.
func TestThePageOnManyObjectsNamesEveryFieldOfAnInput(t *testing.T) {
	page, err := os.ReadFile("../docs/batch.md")
	if err != nil {
		t.Fatal(err)
	}
	_, m := batchDefinition(t, map[string]string{"batchInventory": "s3://my-inventories/all/"})
	told, _, _ := strings.Cut(strings.TrimPrefix(m.States["Refuse"].Cause, "the fields are "), ";")
	for _, field := range strings.Split(told, ", ") {
		if !strings.Contains(string(page), "`"+field+"`") {
			t.Errorf("docs/batch.md does not name the field %s", field)
		}
	}
}

// The defaults of a batch are those that `go run ./tune plan` finds for a function
// of the default size that reads 30 objects at a time, but in smaller batches. Each
// key that a plan says to set is a key of the project.
func TestTheDefaultsOfABatchAreThoseOfAPlan(t *testing.T) {
	f, err := os.Open("testdata/comparison.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	compared, err := comparison.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.New(compared, plan.Job{Objects: 1_000_000, Prefixes: 1, ConcurrencyLimit: 1_000})
	if err != nil {
		t.Fatal(err)
	}
	proj, _ := loadProject(t)
	for key, want := range map[string]any{
		"batchStrategy": p.Strategy, "batchConcurrency": p.Concurrency, "batchSize": min(p.Batch, 1_000), "batchChildren": p.Children,
		"batchToleratedFailurePercentage": 0, "memorySize": p.Memory,
	} {
		if got := fmt.Sprint(proj.Config[key].Default); got != fmt.Sprint(want) {
			t.Errorf("Pulumi.yaml: the default of %s is %s, and the plan has %v", key, got, want)
		}
	}
	text, err := os.ReadFile("../tune/plan/plan.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`pulumi config set (\w+)`).FindAllStringSubmatch(string(text), -1) {
		if _, there := proj.Config[m[1]]; !there {
			t.Errorf("a plan says to set %s, which Pulumi.yaml does not have", m[1])
		}
	}
}
