package powertuning

import "math"

// AWS's list prices, in dollars, in us-east-1, without free tier, savings
// plan or volume discount, as of PricesDate on the pages named here. Where a figure need not be
// comparable with Power Tuning's, these are used.
const (
	PricesDate   = "2026-11"
	PricesRegion = "us-east-1"

	LambdaPricesPage        = "https://aws.amazon.com/lambda/pricing/"
	PricePerGBSecondARM64   = 0.0000133334
	PricePerGBSecondX8664   = 0.0000166667
	PricePerMillionRequests = 0.20

	S3PricesPage         = "https://aws.amazon.com/s3/pricing/" // S3 Standard
	PricePerThousandGets = 0.0004

	StepFunctionsPricesPage     = "https://aws.amazon.com/step-functions/pricing/" // standard workflows
	PricePerThousandTransitions = 0.025
)

// PricePerGBSecond is the list price of one GB-second, 1,024 MB for 1,000 ms,
// on that architecture. It is NaN for one that Lambda does not have, so that
// a mistake shows instead of a price.
func PricePerGBSecond(arch string) float64 {
	switch arch {
	case ARM64:
		return PricePerGBSecondARM64
	case X8664:
		return PricePerGBSecondX8664
	}
	return math.NaN()
}

// ComputeCost is the list price, in dollars, of the compute of one invocation
// that was billed for so many ms at that size; its request and its S3 GETs
// are not in it. It is NaN where [PricePerGBSecond] is.
func ComputeCost(arch string, powerMB int, billedMS float64) float64 {
	return billedMS / 1000 * float64(powerMB) / 1024 * PricePerGBSecond(arch)
}
