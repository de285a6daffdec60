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

// config is the stack's configuration, checked. Its defaults are in
// Pulumi.yaml alone.
type config struct {
	memorySize            int // MB
	timeout               int // s
	architecture          architecture
	maxWorkers            int
	logRetentionDays      int
	totalExecutionTimeout int   // s, of all invocations of one power value
	powerValues           []int // MB

	bucket        string // that exists already; empty for one of the stack's own
	prefix        string // of the keys that may be read in bucket
	monthlyBudget int    // dollars; 0 for none
	budgetEmail   string

	batch           event.Execution // of the state machine, where its input leaves something out
	inventory       inventory       // that its input may name
	batchResultDays int             // how long its results are kept
}

// inventory is where S3 Inventories are delivered; its bucket is empty for
// nowhere.
type inventory struct{ bucket, prefix string }

// architecture is a processor as Lambda and as Go call it.
type architecture struct{ name, goarch string }

var architectures = []architecture{{platform.ARM64, "arm64"}, {platform.X8664, "amd64"}}

// retentions is CloudWatch's own list, in days (PutRetentionPolicy).
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// readConfig reads and checks every key, and tells of all that is wrong at
// once. Each error ends in the command that mends it: it sets what is allowed
// and nearest to what was meant.
func readConfig(ctx *pulumi.Context) (config, error) {
	r := reader{from: pulumiconfig.New(ctx, "")}
	cfg := config{
		memorySize:   r.between("memorySize", platform.MinMemory, platform.MaxMemory, "MB"),
		timeout:      r.between("timeout", 1, int(platform.MaxTimeout.Seconds()), "seconds"),
		architecture: r.architecture("architecture"),
		maxWorkers:   r.between("maxWorkers", 0, event.MaxConcurrency, "workers"),

		logRetentionDays: r.retention("logRetentionDays"),

		// The limits of the template's parameter, whose executors are Lambda
		// functions themselves.
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

// reader collects what is wrong with the keys it reads.
type reader struct {
	from *pulumiconfig.Config
	keys []string // that were read
	errs []error
}

func (r *reader) text(key string) (value string, ok bool) {
	r.keys = append(r.keys, key)
	value, err := r.from.Try(key)
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("config %s: Pulumi.yaml should declare it with a default: %w", key, err))
	}
	return value, err == nil
}

func (r *reader) wrong(key, value, allowed, mended string) {
	r.errs = append(r.errs, fmt.Errorf("config %s is %q: it must be %s\n  pulumi config set %s %s", key, value, allowed, key, mended))
}

// unknown refuses each key of the project that nothing has read: Pulumi takes a
// misspelt one without a word, and its default would hold. All that is set is in
// set, by which the engine configures the program.
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
		allowed := fmt.Sprintf("memory sizes in MB separated by commas, each a whole number from %d to %d, none twice", platform.MinMemory, platform.MaxMemory)
		r.wrong(key, value, allowed, join(mendPowers(value), ","))
	}
	return powers
}

// budget reads a pair of keys that stand together or not at all.
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

// mendPowers takes the numbers it finds in value, whatever stands between
// them, each as near as is allowed.
func mendPowers(value string) []int {
	var powers []int
	for _, digits := range strings.FieldsFunc(value, func(r rune) bool { return r < '0' || r > '9' }) {
		n, _ := strconv.Atoi(digits) // too great a number gives the greatest
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
