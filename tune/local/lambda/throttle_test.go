//go:build linux

package lambda_test

import (
	"fmt"
	"testing"
	"time"
)

// A process that never waits gets the processor time that its memory size
// buys: never above it by more than 5 %, and below it by more than 5 % only as
// far as it stood in the machine's own queue.
func TestProcessorTimeIsInProportionToMemory(t *testing.T) {
	for _, memoryMB := range []int{128, 512, 1_024, 1_769} {
		t.Run(fmt.Sprintf("%d MB", memoryMB), func(t *testing.T) {
			f := function(t, memoryMB, time.Minute)
			invoke(t, f, request{Do: "answer"})
			inv := invoke(t, f, request{Do: "spin", MS: 2_500})
			if inv.Err != nil {
				t.Fatalf("spin: %v", inv.Err)
			}
			target := float64(memoryMB) / 1_769
			got := inv.CPU.Seconds() / inv.Duration.Seconds()
			starved := inv.RunDelay.Seconds() / inv.Duration.Seconds()
			t.Logf("target %.4f, got %.4f (%+.1f %%), starved %.4f", target, got, 100*(got/target-1), starved)
			if got > 1.05*target {
				t.Errorf("%d MB got %.4f processors, above its %.4f", memoryMB, got, target)
			}
			if got < 0.95*target && got+starved < 0.95*target {
				t.Errorf("%d MB got %.4f processors, below its %.4f, and waited for the machine only %.4f", memoryMB, got, target, starved)
			}
		})
	}
}
