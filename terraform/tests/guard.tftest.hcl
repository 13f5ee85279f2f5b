# The guard against the forgotten endpoint: it ends, or calls, or there is none.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix         = "scones-test"
  partition      = "aws"
  endpoint_name  = "some-endpoint"
  endpoint_arn   = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/some-endpoint"
  variant_name   = "v7"
  on_instances   = true
  endpoint_hours = 8
  idle_hours     = 3
  budget_usd     = 50
  topic_arn      = "arn:aws:sns:us-east-1:123456789012:some-topic"

  permissions_boundary = null
}

run "an_endpoint_is_deleted_once_its_hours_are_over" {
  module {
    source = "./modules/guard"
  }

  assert {
    condition = alltrue([
      one(one(aws_scheduler_schedule.this).target).arn == "arn:aws:scheduler:::aws-sdk:sagemaker:deleteEndpoint",
      jsondecode(one(one(aws_scheduler_schedule.this).target).input) == { EndpointName = "some-endpoint" },
      can(regex("^at\\([0-9-]{10}T[0-9:]{8}\\)$", one(aws_scheduler_schedule.this).schedule_expression)),
    ])
    error_message = "The schedule must delete this endpoint, once."
  }

  assert {
    condition = (
      one(one(data.aws_iam_policy_document.this).statement[*].actions) == toset(["sagemaker:DeleteEndpoint"]) &&
      one(one(data.aws_iam_policy_document.this).statement[*].resources) == toset([var.endpoint_arn])
    )
    error_message = "The schedule may do nothing else."
  }
}

run "without_hours_nothing_ends_the_endpoint_and_idleness_still_calls" {
  command = plan

  module {
    source = "./modules/guard"
  }

  variables {
    endpoint_hours = null
  }

  assert {
    condition     = length(aws_scheduler_schedule.this) == 0 && length(aws_iam_role.this) == 0 && output.schedule_name == null
    error_message = "There must be no schedule, and no role for one."
  }

  assert {
    condition     = one(aws_cloudwatch_metric_alarm.idle).evaluation_periods == 3 && one(aws_cloudwatch_metric_alarm.idle).alarm_actions == toset([var.topic_arn])
    error_message = "An endpoint that is idle for its hours must call."
  }
}

run "without_an_endpoint_the_budget_alone_is_there" {
  command = plan

  module {
    source = "./modules/guard"
  }

  variables {
    endpoint_arn = null
    variant_name = null
  }

  assert {
    condition     = length(aws_scheduler_schedule.this) == 0 && length(aws_cloudwatch_metric_alarm.idle) == 0
    error_message = "What is not there neither ends nor idles."
  }

  assert {
    condition = alltrue([
      aws_budgets_budget.this.limit_amount == "50",
      one(aws_budgets_budget.this.cost_filter).values == tolist(["user:Stack$scones-test"]),
      length(aws_budgets_budget.this.notification) == 3,
      alltrue([for each in aws_budgets_budget.this.notification : each.subscriber_sns_topic_arns == toset([var.topic_arn])]),
    ])
    error_message = "The budget must count this environment alone, and call."
  }
}

run "what_costs_nothing_while_idle_does_not_call" {
  command = plan

  module {
    source = "./modules/guard"
  }

  variables {
    on_instances = false
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.idle) == 0
    error_message = "A serverless endpoint has no instances that could idle."
  }
}

run "inputs_of_another_form_are_refused" {
  command = plan

  module {
    source = "./modules/guard"
  }

  variables {
    prefix         = "Scones_Test"
    endpoint_hours = 1.5
    idle_hours     = 25
    budget_usd     = 0
    topic_arn      = "some-topic"
  }

  expect_failures = [var.prefix, var.endpoint_hours, var.idle_hours, var.budget_usd, var.topic_arn]
}
