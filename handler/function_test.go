package main

import (
	"testing"
	"time"

	"lambda-parallel-io/strategies"
)

const roleVariable = "HANDLER_TEST_ROLE"

func playRole() int { return 2 }

func TestEveryStrategyReadsTheObjectsWhole(t *testing.T) {
	s3 := newS3(t)
	p := start(t, s3.settings()...)
	for _, s := range strategies.All() {
		a := p.must(t, `{"strategy": "`+s.Name+`", "repeat": 100, "objectKey": "sample.json"}`, time.Minute)
		t.Logf("%+v", a)
	}
}
