package main

import (
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/budgets"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// newBudget makes AWS send an e-mail when the account's costs of a month are above
// 80 % of the budget, and when AWS expects them to exceed the budget. The budget
// counts the whole account. A budget for the stack's tags would count nothing until
// somebody activates them as cost allocation tags.
func newBudget(ctx *pulumi.Context, cfg config) error {
	if cfg.monthlyBudget == 0 {
		return nil
	}
	alarm := func(kind string, percent float64) budgets.BudgetNotificationArgs {
		return budgets.BudgetNotificationArgs{
			NotificationType:         pulumi.String(kind),
			ComparisonOperator:       pulumi.String("GREATER_THAN"),
			Threshold:                pulumi.Float64(percent),
			ThresholdType:            pulumi.String("PERCENTAGE"),
			SubscriberEmailAddresses: pulumi.ToStringArray([]string{cfg.budgetEmail}),
		}
	}
	_, err := budgets.NewBudget(ctx, ctx.Project(), &budgets.BudgetArgs{
		BudgetType:    pulumi.String("COST"),
		TimeUnit:      pulumi.String("MONTHLY"),
		LimitAmount:   pulumi.String(strconv.Itoa(cfg.monthlyBudget)),
		LimitUnit:     pulumi.String("USD"),
		Notifications: budgets.BudgetNotificationArray{alarm("ACTUAL", 80), alarm("FORECASTED", 100)},
	})
	return err
}
