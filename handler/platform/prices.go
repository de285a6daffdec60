package platform

import (
	"cmp"
	"math"
	"time"
)

// AWS's list prices in PricesRegion as of PricesDate, in dollars, without free
// tier, savings plan or volume discount. Sources:
// https://aws.amazon.com/lambda/pricing/, https://aws.amazon.com/s3/pricing/ (S3
// Standard) and https://aws.amazon.com/step-functions/pricing/. The prices of S3
// Batch Operations are from memory, without a source.
const (
	PricesDate   = "2026-11"
	PricesRegion = "us-east-1"

	PricePerGBSecondARM64   = 0.0000133334 // 1,024 MB for 1,000 ms
	PricePerGBSecondX8664   = 0.0000166667
	PricePerMillionRequests = 0.20
	PricePerThousandGets    = 0.0004
	PricePerThousandLists   = 0.005

	PricePerThousandTransitions = 0.025 // of a STANDARD state machine
	PricePerMillionExpress      = 1.00  // requests
	PricePerGBSecondExpress     = 0.00001667

	// An EXPRESS execution is billed in steps of time and of memory.
	ExpressStep   = 100 * time.Millisecond
	ExpressStepGB = 64. / 1_024

	PricePerBatchOperationsJob     = 0.25
	PricePerMillionBatchOperations = 1.00 // objects
)

// ComputeCost returns the list price, in dollars, of the compute of one invocation
// billed for billedMS at a size in MB. It does not include the Lambda request and
// the S3 GETs. For an unknown architecture it returns NaN, so that the mistake is
// visible.
func ComputeCost(arch string, memoryMB int, billedMS float64) float64 {
	price := map[string]float64{ARM64: PricePerGBSecondARM64, X8664: PricePerGBSecondX8664}[arch]
	return billedMS / 1000 * float64(memoryMB) / 1024 * cmp.Or(price, math.NaN())
}
