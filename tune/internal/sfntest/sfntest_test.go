package sfntest_test

import (
	"strings"
	"testing"

	"lambda-parallel-io/tune/internal/sfntest"
)

func TestAMalformedScriptIsAnError(t *testing.T) {
	for _, words := range []string{"pool=perhaps", "pool", "looks=often", "DescribeExecution=cut:x", "DescribeExecution=cut@x"} {
		if _, err := sfntest.New(words); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("New(%q) = %v, want an error that names it", words, err)
		}
	}
	if _, err := sfntest.New("pool=killed-at-512 sequential=succeeds unbounded=fine@37 looks=3 busy=arn StartExecution=cut ListExecutions=ThrottlingException:3@1"); err != nil {
		t.Errorf("New = %v, want nil", err)
	}
}
