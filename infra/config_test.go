package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestEachBadValueIsToldWithTheCommandThatMendsIt(t *testing.T) {
	const days = "a number of days that CloudWatch offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653"
	const powers = "memory sizes in MB separated by commas, each a whole number from 128 to 10240, without duplicates"
	const bucket = "the name of an existing bucket, of 3 to 63 lower-case letters, digits, dots and hyphens"
	const other = "the name of an existing general purpose bucket, but this is "
	for _, test := range []struct{ key, value, allowed, mended string }{
		{"memorySize", "127", "a whole number of MB from 128 to 10240", "128"},
		{"memorySize", "10241", "a whole number of MB from 128 to 10240", "10240"},
		{"memorySize", "-1", "a whole number of MB from 128 to 10240", "128"},
		{"memorySize", "99999999999999999999", "a whole number of MB from 128 to 10240", "10240"},
		{"timeout", "0", "a whole number of seconds from 1 to 900", "1"},
		{"timeout", "901", "a whole number of seconds from 1 to 900", "900"},
		{"maxWorkers", "-1", "a whole number of workers from 0 to 900", "0"},
		{"maxWorkers", "901", "a whole number of workers from 0 to 900", "900"},
		{"totalExecutionTimeout", "9", "a whole number of seconds from 10 to 900", "10"},
		{"totalExecutionTimeout", "901", "a whole number of seconds from 10 to 900", "900"},
		{"architecture", "arm", "arm64 or x86_64", "arm64"},
		{"architecture", "amd64", "arm64 or x86_64", "x86_64"},
		{"architecture", "", "arm64 or x86_64", "arm64"},
		{"logRetentionDays", "0", days, "1"},
		{"logRetentionDays", "2", days, "3"},
		{"logRetentionDays", "4000", days, "3653"},
		{"batchStrategy", "threads", "one of sequential, unbounded, pool, semaphore", "pool"},
		{"batchConcurrency", "0", "a whole number of reads at a time from 1 to 900", "1"},
		{"batchSize", "10001", "a whole number of objects from 1 to 10000", "10000"},
		{"batchChildren", "0", "a whole number of calls at a time from 1 to 10000", "1"},
		{"batchToleratedFailurePercentage", "101", "a whole number of percent from 0 to 100", "100"},
		{"batchInventory", "my-inventories", "empty, or where an S3 Inventory is delivered, as s3://BUCKET/PREFIX", "s3://my-inventories/my-bucket/all/"},
		{"batchInventory", "s3://my-inventories/", "empty, or where an S3 Inventory is delivered, as s3://BUCKET/PREFIX", "s3://my-inventories/my-bucket/all/"},
		{"batchResultDays", "0", "a whole number of days from 1 to 3650", "1"},
		{"powerValues", "", powers, "128,10240"},
		{"powerValues", "512,", powers, "512"},
		{"powerValues", "512,1024,512", powers, "512,1024"},
		{"powerValues", "64,512,20000", powers, "128,512,10240"},
		{"powerValues", "512;1024 2048MB", powers, "512,1024,2048"},
		{"bucket", "s3://orders-2026/january", bucket, "orders-2026"},
		{"bucket", "arn:aws:s3:::orders-2026", bucket, "orders-2026"},
		{"bucket", "Orders", bucket, "my-bucket"},
		{"bucket", "ab", bucket, "my-bucket"},
		{"bucket", "*", bucket, "my-bucket"},
		{"bucket", "orders--use1-az4--x-s3", other + "a directory bucket", "my-bucket"},
		{"bucket", "arn:aws:s3express:us-east-1:123456789012:bucket/orders--use1-az4--x-s3", other + "a directory bucket", "my-bucket"},
		{"bucket", "orders-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias", other + "an access point", "my-bucket"},
		{"bucket", "arn:aws:s3:us-east-1:123456789012:accesspoint/orders", other + "an access point", "my-bucket"},
		{"bucket", "orders-o9hrzrlukc5m36ft7okagglf3gmwluquse1b--ol-s3", other + "an Object Lambda access point", "my-bucket"},
		{"batchInventory", "s3://orders--use1-az4--x-s3/all/", "empty, or where an S3 Inventory is delivered, as s3://BUCKET/PREFIX", "s3://my-inventories/my-bucket/all/"},
	} {
		t.Run(test.key+"="+test.value, func(t *testing.T) {
			c := &cloud{}
			_, err := deployment(t, c, map[string]string{test.key: test.value})
			want := "config " + test.key + ` is "` + test.value + `": it must be ` + test.allowed +
				"\n  pulumi config set " + test.key + " " + test.mended
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("error:\n%v\nwant one with:\n%s", err, want)
			}
			if len(c.resources) > 0 {
				t.Errorf("%d resources were registered before the error", len(c.resources))
			}
			if _, err := deployment(t, &cloud{}, map[string]string{test.key: test.mended}); err != nil {
				t.Errorf("pulumi config set %s %s does not mend it: %v", test.key, test.mended, err)
			}
		})
	}
}

// The error names the key of a pair that is missing or wrong.
func TestKeysThatNeedEachOtherAreToldWithTheCommandThatMendsThem(t *testing.T) {
	const dollars = "a whole number of dollars from 1 to 1000000, or empty with an empty budgetEmail"
	const email = "an e-mail address, because monthlyBudget is set"
	long := strings.Repeat("x", 1_025)
	for _, test := range []struct {
		set                  map[string]string
		key, allowed, mended string
	}{
		{map[string]string{"prefix": "orders/"}, "bucket", "because prefix is set", "my-bucket"},
		{map[string]string{"bucket": "orders", "prefix": long}, "prefix", "at most 1024 bytes long, as a key is", long[1:]},
		{map[string]string{"budgetEmail": "me@example.com"}, "monthlyBudget", dollars, "1"},
		{map[string]string{"budgetEmail": "me@example.com", "monthlyBudget": "0"}, "monthlyBudget", dollars, "1"},
		{map[string]string{"budgetEmail": "me@example.com", "monthlyBudget": "$5"}, "monthlyBudget", dollars, "1"},
		{map[string]string{"budgetEmail": "me@example.com", "monthlyBudget": "1000001"}, "monthlyBudget", dollars, "1000000"},
		{map[string]string{"monthlyBudget": "5"}, "budgetEmail", email, "you@example.com"},
		{map[string]string{"monthlyBudget": "5", "budgetEmail": "me"}, "budgetEmail", email, "you@example.com"},
		{map[string]string{"monthlyBudget": "5", "budgetEmail": "Me <me@example.com>"}, "budgetEmail", email, "you@example.com"},
	} {
		_, err := deployment(t, &cloud{}, test.set)
		for _, want := range []string{
			"config " + test.key + ` is "` + test.set[test.key] + `": it must be `,
			test.allowed + "\n  pulumi config set " + test.key + " " + test.mended,
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("with %v the error is\n%v\nwant one with:\n%s", test.set, err, want)
			}
		}
		test.set[test.key] = test.mended
		if _, err := deployment(t, &cloud{}, test.set); err != nil {
			t.Errorf("pulumi config set %s %s does not mend it: %v", test.key, test.mended, err)
		}
	}
}

func TestTheLimitsThemselvesAreAllowed(t *testing.T) {
	for _, set := range []map[string]string{
		{"memorySize": "128", "timeout": "1", "maxWorkers": "0", "logRetentionDays": "1", "totalExecutionTimeout": "10", "powerValues": "128"},
		{"memorySize": "10240", "timeout": "900", "maxWorkers": "900", "logRetentionDays": "3653", "totalExecutionTimeout": "900", "powerValues": "10240,128"},
		{"bucket": "a.1", "prefix": strings.Repeat("x", 1_024), "monthlyBudget": "1", "budgetEmail": "me@example.com"},
		{"bucket": strings.Repeat("b", 63), "prefix": "", "monthlyBudget": "1000000", "budgetEmail": "me@example.com"},
	} {
		mustDeploy(t, set)
	}
}

func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	set := map[string]string{
		"memorySize": "1", "timeout": "0", "architecture": "mips", "maxWorkers": "-1",
		"logRetentionDays": "2", "totalExecutionTimeout": "0", "powerValues": "1",
		"bucket": "B", "monthlyBudget": "0", "budgetEmail": "me",
		"batchStrategy": "s", "batchConcurrency": "0", "batchSize": "0", "batchChildren": "0", "batchToleratedFailurePercentage": "-1", "batchResultDays": "0", "batchInventory": "i",
	}
	_, err := deployment(t, &cloud{}, set)
	for key := range set {
		if err == nil || !strings.Contains(err.Error(), "config "+key+" is ") {
			t.Errorf("error %v, want one that also names %s", err, key)
		}
	}
}

// Pulumi.yaml and the program agree: every key that the program requires has a
// default, a type and a description, and the program reads every key.
func TestPulumiYAMLDeclaresTheKeysThatTheProgramRequires(t *testing.T) {
	proj, ps := loadProject(t)
	if proj.Runtime.Name() != "go" || proj.Main != "infra" {
		t.Errorf("runtime %s with main %q, want go with main infra", proj.Runtime.Name(), proj.Main)
	}
	settings := stackConfig(t)
	for key, declared := range proj.Config {
		if declared.Default == nil || declared.Type == nil || declared.Description == "" {
			t.Errorf("%s is declared without default, type or description: `pulumi up` in a fresh clone asks for nothing", key)
		}
		without := maps.Clone(settings)
		delete(without, project+":"+key)
		_, err := deploymentWith(t, &cloud{}, without)
		if want := "config " + key + ":"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s the error is %v, want one with %q: the program does not read it", key, err, want)
		}
	}
	required := []string{
		"architecture", "batchChildren", "batchConcurrency", "batchInventory", "batchResultDays", "batchSize", "batchStrategy",
		"batchToleratedFailurePercentage", "bucket", "budgetEmail", "logRetentionDays", "maxWorkers", "memorySize", "monthlyBudget",
		"powerValues", "prefix", "timeout", "totalExecutionTimeout",
	}
	if got := slices.Sorted(maps.Keys(proj.Config)); !slices.Equal(got, required) {
		t.Errorf("Pulumi.yaml declares %v, want %v", got, required)
	}
	for key := range ps.Config {
		if key.Namespace() == project && !slices.Contains(required, key.Name()) {
			t.Errorf("Pulumi.dev.yaml sets %s, which nothing reads", key)
		}
	}
}

func TestEverythingIsTagged(t *testing.T) {
	if got := stackConfig(t)["aws:defaultTags"]; !strings.Contains(got, `"tags":{"`) {
		t.Errorf("aws:defaultTags is %s, want some tags: they are how the deployment's cost is found", got)
	}
}
