package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// What docs/aws.md says of keys, defaults and outputs is what there is.
func TestThePageNamesEveryKeyWithItsDefaultAndEveryOutput(t *testing.T) {
	b, err := os.ReadFile("../docs/aws.md")
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
			t.Errorf("docs/aws.md has no row %q", row)
		}
	}
	for _, set := range []map[string]string{nil, {"bucket": "my-documents"}} {
		_, outs := mustDeploy(t, set)
		for name := range outs {
			if !strings.Contains(page, "`"+name+"`") {
				t.Errorf("docs/aws.md does not name the output %s", name)
			}
		}
	}
}

// What docs/batch.md says an execution may name is what the state machine takes.
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
