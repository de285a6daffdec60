package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestThereIsNoBudgetUnlessOneIsAskedFor(t *testing.T) {
	c, _ := mustDeploy(t, nil)
	if all := c.all(budgetType); len(all) > 0 {
		t.Errorf("%d budgets by default, want none", len(all))
	}
}

func TestABudgetWritesBeforeItIsSpentAndWhenItWillBeExceeded(t *testing.T) {
	c, _ := mustDeploy(t, map[string]string{"monthlyBudget": "5", "budgetEmail": "me@example.com"})
	to := []any{"me@example.com"}
	want := map[string]any{
		"budgetType": "COST", "timeUnit": "MONTHLY", "limitAmount": "5", "limitUnit": "USD",
		"notifications": []any{
			map[string]any{"notificationType": "ACTUAL", "comparisonOperator": "GREATER_THAN", "threshold": 80.0, "thresholdType": "PERCENTAGE", "subscriberEmailAddresses": to},
			map[string]any{"notificationType": "FORECASTED", "comparisonOperator": "GREATER_THAN", "threshold": 100.0, "thresholdType": "PERCENTAGE", "subscriberEmailAddresses": to},
		},
	}
	if diff := cmp.Diff(want, c.one(t, budgetType).inputs.Mappable()); diff != "" {
		t.Errorf("budget (-want +got):\n%s", diff)
	}
}
