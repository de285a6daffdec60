package powertuning_test

import (
	"fmt"
	"log"

	"lambda-parallel-io/handler/platform"

	"lambda-parallel-io/tune/powertuning"
)

// What Power Tuning would have answered for the durations of five invocations
// at each of two sizes.
func ExampleAnalyze() {
	runs := []powertuning.Measured{
		{Value: 512, DurationsMS: []float64{58.1, 44.9, 45.2, 45.0, 44.8}, BilledMS: []int{59, 45, 46, 45, 45}},
		{Value: 1769, DurationsMS: []float64{33.4, 33.1, 33.0, 33.2, 47.5}, BilledMS: []int{34, 34, 33, 34, 48}},
	}
	goal := powertuning.Input{Strategy: powertuning.Speed}.Goal() // the slowest and the fastest run of each are trimmed
	out, err := powertuning.Analyze(goal, "us-east-1", platform.ARM64, runs)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range out.Stats {
		fmt.Printf("%5d MB  %.1f ms  $%.4f per million\n", s.Value, s.AverageDuration, 1e6*s.AveragePrice)
	}
	fmt.Printf("fastest: %d MB\n", out.Power)
	fmt.Println(out.StateMachine.Visualization)
	// Output:
	//   512 MB  45.0 ms  $0.3128 per million
	//  1769 MB  33.2 ms  $0.7988 per million
	// fastest: 1769 MB
	// https://lambda-power-tuning.show/#AALpBg==;IiI0Qu/uBEI=;6O6nNBZuVjU=
}

// An execution's input that asks for more than one machine can do.
func ExampleInput_Unsupported() {
	in, err := powertuning.ParseInput([]byte(`{"num": 10, "parallelInvocation": true, "payloadS3": "s3://bucket/key"}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(in.Unsupported())
	// Output: [payloadS3 parallelInvocation]
}
