package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"os"
	"slices"
	"strconv"
	"strings"

	"al.essio.dev/pkg/shellescape"
	"github.com/agext/levenshtein"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumiconfig "github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"

	"lambda-parallel-io/handler/event"
	"lambda-parallel-io/handler/platform"
	"lambda-parallel-io/strategies"
)

// config is the checked configuration of the stack. Its defaults are only in
// Pulumi.yaml.
type config struct {
	memorySize            int // MB
	timeout               int // s
	architecture          architecture
	maxWorkers            int
	logRetentionDays      int
	totalExecutionTimeout int   // s, for all invocations of one power value
	powerValues           []int // MB

	bucket        string // an existing bucket; empty for the stack's own
	prefix        string // of the keys in bucket that may be read
	monthlyBudget int    // dollars; 0 for no budget
	budgetEmail   string

	batch           event.Execution // defaults for the state machine's input
	inventory       inventory       // from which its input may name one
	batchResultDays int             // days for which its results are kept
}

// inventory is the place where S3 Inventories are delivered. An empty bucket means
// that there are none.
type inventory struct{ bucket, prefix string }

// architecture has the names of a processor architecture in Lambda and in Go.
type architecture struct{ name, goarch string }

var architectures = []architecture{{platform.ARM64, "arm64"}, {platform.X8664, "amd64"}}

// retentions lists the days that CloudWatch allows (PutRetentionPolicy).
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// readConfig reads and checks every key, and returns all errors together. Each
// error ends with the command that fixes it, with the nearest allowed value.
func readConfig(ctx *pulumi.Context) (config, error) {
	r := reader{from: pulumiconfig.New(ctx, "")}
	cfg := config{
		memorySize:   r.between("memorySize", platform.MinMemory, platform.MaxMemory, "MB"),
		timeout:      r.between("timeout", 1, int(platform.MaxTimeout.Seconds()), "seconds"),
		architecture: r.architecture("architecture"),
		maxWorkers:   r.between("maxWorkers", 0, event.MaxConcurrency, "workers"),

		logRetentionDays: r.retention("logRetentionDays"),

		// The limits of the template's parameter: its executors are themselves Lambda
		// functions.
		totalExecutionTimeout: r.between("totalExecutionTimeout", 10, int(platform.MaxTimeout.Seconds()), "seconds"),
		powerValues:           r.powers("powerValues"),
	}
	cfg.bucket, cfg.prefix = r.bucket("bucket", "prefix")
	cfg.batch = event.Execution{
		Prefix:      cfg.prefix,
		Strategy:    r.strategy("batchStrategy"),
		Concurrency: r.between("batchConcurrency", 1, event.MaxConcurrency, "reads at a time"),
		Batch:       r.between("batchSize", 1, maxBatch, "objects"),
		Children:    r.between("batchChildren", 1, platform.MaxChildren, "calls at a time"),
		Tolerated:   r.between("batchToleratedFailurePercentage", 0, 100, "percent"),
	}
	cfg.inventory = r.inventory("batchInventory")
	cfg.batchResultDays = r.between("batchResultDays", 1, 3_650, "days")
	cfg.monthlyBudget, cfg.budgetEmail = r.budget("monthlyBudget", "budgetEmail")
	r.unknown(ctx.Project(), os.Getenv(pulumi.EnvConfig))
	return cfg, errors.Join(r.errs...)
}

// reader reads keys and collects the errors in them.
type reader struct {
	from *pulumiconfig.Config
	keys []string // read so far
	errs []error
}

// text returns the value of a key, or records an error and returns false.
func (r *reader) text(key string) (value string, ok bool) {
	r.keys = append(r.keys, key)
	value, err := r.from.Try(key)
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("config %s: Pulumi.yaml should declare it with a default: %w", key, err))
	}
	return value, err == nil
}

// wrong records that a value is not allowed, and a value that is.
func (r *reader) wrong(key, value, allowed, mended string) {
	r.errs = append(r.errs, fmt.Errorf("config %s is %q: it must be %s\n  pulumi config set %s %s", key, value, allowed, key, mended))
}

// unknown records an error for each of the project's keys that was not read. Pulumi
// silently accepts a misspelt key, and the default of the intended one would apply.
// set holds all configured keys as JSON, as the engine passes them to the program.
func (r *reader) unknown(project, set string) {
	values := map[string]string{}
	if err := json.Unmarshal([]byte(set), &values); err != nil && set != "" {
		r.errs = append(r.errs, fmt.Errorf("reading %s: %w", pulumi.EnvConfig, err))
	}
	for _, full := range slices.Sorted(maps.Keys(values)) {
		key, ours := strings.CutPrefix(full, project+":")
		if !ours || slices.Contains(r.keys, key) {
			continue
		}
		nearest := slices.MinFunc(r.keys, func(a, b string) int {
			return levenshtein.Distance(key, a, nil) - levenshtein.Distance(key, b, nil)
		})
		r.errs = append(r.errs, fmt.Errorf("config %s: the project has no such key; the nearest is %s\n  pulumi config rm %s\n  pulumi config set %s %s",
			key, nearest, key, nearest, shellescape.Quote(values[full])))
	}
}

func (r *reader) between(key string, least, most int, unit string) int {
	value, ok := r.text(key)
	n, err := strconv.Atoi(value)
	if ok && (err != nil || n < least || n > most) {
		allowed := fmt.Sprintf("a whole number of %s from %d to %d", unit, least, most)
		r.wrong(key, value, allowed, strconv.Itoa(min(max(n, least), most)))
	}
	return n
}

func (r *reader) architecture(key string) architecture {
	value, ok := r.text(key)
	meant := architectures[0]
	for _, a := range architectures {
		switch value {
		case a.name:
			return a
		case a.goarch:
			meant = a
		}
	}
	if ok {
		r.wrong(key, value, "arm64 or x86_64", meant.name)
	}
	return meant
}

func (r *reader) strategy(key string) string {
	value, ok := r.text(key)
	if ok && !slices.Contains(strategies.Names(), value) {
		r.wrong(key, value, "one of "+strings.Join(strategies.Names(), ", "), event.DefaultStrategy)
	}
	return value
}

func (r *reader) retention(key string) int {
	value, ok := r.text(key)
	n, err := strconv.Atoi(value)
	i, found := slices.BinarySearch(retentions, n)
	if ok && (err != nil || !found) {
		allowed := "a number of days that CloudWatch offers: " + join(retentions, ", ")
		r.wrong(key, value, allowed, strconv.Itoa(retentions[min(i, len(retentions)-1)]))
	}
	return n
}

func (r *reader) powers(key string) []int {
	value, ok := r.text(key)
	var powers []int
	right := true
	for _, field := range strings.Split(value, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		right = right && err == nil && n >= platform.MinMemory && n <= platform.MaxMemory && !slices.Contains(powers, n)
		powers = append(powers, n)
	}
	if ok && !right {
		allowed := fmt.Sprintf("memory sizes in MB separated by commas, each a whole number from %d to %d, without duplicates", platform.MinMemory, platform.MaxMemory)
		r.wrong(key, value, allowed, join(mendPowers(value), ","))
	}
	return powers
}

// budget reads a pair of keys that must be set together or not at all.
func (r *reader) budget(key, emailKey string) (dollars int, email string) {
	const most = 1_000_000
	value, ok := r.text(key)
	email, _ = r.text(emailKey)
	if !ok || value == "" && email == "" {
		return 0, ""
	}
	dollars, err := strconv.Atoi(value)
	if err != nil || dollars < 1 || dollars > most {
		allowed := fmt.Sprintf("a whole number of dollars from 1 to %d, or empty with an empty %s", most, emailKey)
		r.wrong(key, value, allowed, strconv.Itoa(min(max(dollars, 1), most)))
	}
	if address, err := mail.ParseAddress(email); err != nil || address.Address != email {
		r.wrong(emailKey, email, "an e-mail address, because "+key+" is set", "you@example.com")
	}
	return dollars, email
}

// mendPowers returns the numbers in value, whatever their separators, each replaced
// by the nearest allowed one. If there are none, it returns the smallest and the
// largest allowed.
func mendPowers(value string) []int {
	var powers []int
	for _, digits := range strings.FieldsFunc(value, func(r rune) bool { return r < '0' || r > '9' }) {
		n, _ := strconv.Atoi(digits) // a number too large for int becomes the largest int
		n = min(max(n, platform.MinMemory), platform.MaxMemory)
		if !slices.Contains(powers, n) {
			powers = append(powers, n)
		}
	}
	if powers == nil {
		return []int{platform.MinMemory, platform.MaxMemory}
	}
	return powers
}

func join(numbers []int, separator string) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, separator)
}
