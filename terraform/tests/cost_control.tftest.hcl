# Cost control: the endpoint's deletion schedule, the idle alarm and the budget.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix         = "scones-test"
  partition      = "aws"
  endpoint_name  = "some-endpoint"
  endpoint_arn   = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/some-endpoint"
  variant_name   = "v7"
  instance_based = true
  endpoint_hours = 8
  lifetime_path  = "/scones/test/endpoint-lifetime"
  idle_hours     = 3
  budget_usd     = 50
  topic_arn      = "arn:aws:sns:us-east-1:123456789012:some-topic"

  deployment_timeout_seconds = 1800
  permissions_boundary       = null
}

run "schedule_deletes_the_endpoint" {
  module {
    source = "./modules/cost_control"
  }

  assert {
    condition = alltrue([
      one(one(aws_scheduler_schedule.this).target).arn == "arn:aws:scheduler:::aws-sdk:sagemaker:deleteEndpoint",
      jsondecode(one(one(aws_scheduler_schedule.this).target).input) == { EndpointName = "some-endpoint" },
      one(aws_scheduler_schedule.this).schedule_expression == "at(${trimsuffix(timeadd(local.start, "8h"), "Z")})",
    ])
    error_message = "The schedule must delete this endpoint, once."
  }

  assert {
    condition = { for statement in one(data.aws_iam_policy_document.this).statement : one(statement.actions) => one(statement.resources) } == {
      "sagemaker:DeleteEndpoint"                         = var.endpoint_arn
      "application-autoscaling:DeregisterScalableTarget" = "arn:aws:application-autoscaling:*:123456789012:scalable-target/*"
      "sqs:SendMessage"                                  = one(aws_sqs_queue.this).arn
    }
    error_message = "The schedule's role may only delete this endpoint, deregister its scalable target, and report a failed deletion."
  }

  assert {
    condition = { for statement in one(data.aws_iam_policy_document.this).statement : statement.sid => join(" ", sort(statement.condition[*].variable)) } == {
      DeleteEndpoint           = "aws:CurrentTime"
      DeregisterScalableTarget = "application-autoscaling:service-namespace aws:CurrentTime"
      ReportFailure            = ""
    }
    error_message = "The role may delete an endpoint and deregister a scalable target of SageMaker only from a given time on."
  }

  assert {
    condition = alltrue([
      one(one(aws_scheduler_schedule.this).target[0].retry_policy).maximum_event_age_in_seconds == 3600,
      one(one(aws_scheduler_schedule.this).target[0].dead_letter_config).arn == one(aws_sqs_queue.this).arn,
      one(aws_cloudwatch_metric_alarm.expiry).dimensions.QueueName == one(aws_sqs_queue.this).name,
      one(aws_cloudwatch_metric_alarm.expiry).alarm_actions == toset([var.topic_arn]),
    ])
    error_message = "If the deletion still fails after all retries, an alarm must publish to the SNS topic."
  }
}

run "plan_keeps_a_lifetime_that_has_not_ended" {
  command = plan

  module {
    source = "./modules/cost_control"
  }

  override_data {
    target = data.aws_ssm_parameters_by_path.lifetime
    values = { values = ["2026-01-01T00:00:00Z/2999-01-01T00:00:00Z"] }
  }

  assert {
    condition = alltrue([
      one(aws_scheduler_schedule.this).schedule_expression == "at(2999-01-01T00:00:00)",
      one(aws_ssm_parameter.lifetime).insecure_value == "2026-01-01T00:00:00Z/2999-01-01T00:00:00Z",
    ])
    error_message = "A plan must not change the end of a lifetime that has not ended."
  }

  assert {
    condition     = one(one(one(data.aws_iam_policy_document.this).statement[0].condition).values) == "2026-01-01T01:00:00Z"
    error_message = "A retry of an earlier lifetime's schedule must not delete the endpoint of this lifetime."
  }
}

run "schedule_retries_for_longer_than_the_longest_deployment" {
  command = plan

  module {
    source = "./modules/cost_control"
  }

  variables {
    deployment_timeout_seconds = 3600
  }

  override_data {
    target = data.aws_ssm_parameters_by_path.lifetime
    values = { values = ["2998-12-31T23:00:00Z/2999-01-01T00:00:00Z"] }
  }

  assert {
    condition     = one(one(aws_scheduler_schedule.this).target[0].retry_policy).maximum_event_age_in_seconds > var.deployment_timeout_seconds
    error_message = "The schedule must retry for longer than a deployment can take, because a deployment prevents the deletion."
  }

  assert {
    condition     = one(one(one(data.aws_iam_policy_document.this).statement[0].condition).values) == "2998-12-31T23:59:00Z"
    error_message = "The role must be allowed to delete the endpoint at the end of a lifetime that is shorter than the retries."
  }
}

run "extension_of_a_lifetime_does_not_change_the_policy_of_the_role" {
  command = plan

  module {
    source = "./modules/cost_control"
  }

  variables {
    endpoint_hours             = 1
    deployment_timeout_seconds = 3600
  }

  override_data {
    target = data.aws_ssm_parameters_by_path.lifetime
    values = { values = ["2998-12-31T23:00:00Z/2999-01-01T04:00:00Z"] }
  }

  assert {
    condition = alltrue([
      for statement in one(data.aws_iam_policy_document.this).statement : [
        for condition in statement.condition : one(condition.values) if condition.variable == "aws:CurrentTime"
      ] == ["2998-12-31T23:59:00Z"] if statement.sid != "ReportFailure"
    ])
    error_message = "An extension must not postpone the time from which the role may delete the endpoint: `make drift` would report a changed policy."
  }
}

run "plan_begins_a_new_lifetime_after_the_end_of_the_stored_one" {
  module {
    source = "./modules/cost_control"
  }

  override_data {
    target = data.aws_ssm_parameters_by_path.lifetime
    values = { values = ["2026-01-01T00:00:00Z/2026-01-01T08:00:00Z"] }
  }

  assert {
    condition = alltrue([
      timecmp(local.start, plantimestamp()) >= 0,
      one(aws_ssm_parameter.lifetime).insecure_value == "${local.start}/${timeadd(local.start, "8h")}",
      one(aws_scheduler_schedule.this).schedule_expression == "at(${trimsuffix(timeadd(local.start, "8h"), "Z")})",
    ])
    error_message = "An endpoint that is deployed after the end of its lifetime must get a new lifetime."
  }
}

run "without_endpoint_hours_there_is_an_idle_alarm_but_no_schedule" {
  command = plan

  module {
    source = "./modules/cost_control"
  }

  variables {
    endpoint_hours = null
  }

  assert {
    condition = alltrue([
      length(aws_scheduler_schedule.this) == 0, length(aws_iam_role.this) == 0, length(aws_sqs_queue.this) == 0,
      output.schedule_name == null, output.lifetime_parameter == null,
    ])
    error_message = "There must be no schedule, and no role, queue and parameter for it."
  }

  assert {
    condition     = one(aws_cloudwatch_metric_alarm.idle).evaluation_periods == 3 && one(aws_cloudwatch_metric_alarm.idle).alarm_actions == toset([var.topic_arn])
    error_message = "The idle alarm must evaluate idle_hours and publish to the SNS topic."
  }
}

run "without_an_endpoint_there_is_a_budget_but_no_schedule_and_no_idle_alarm" {
  command = plan

  module {
    source = "./modules/cost_control"
  }

  variables {
    variant_name = null
  }

  assert {
    condition     = length(aws_scheduler_schedule.this) == 0 && length(aws_cloudwatch_metric_alarm.idle) == 0
    error_message = "Without an endpoint there must be no schedule and no idle alarm."
  }

  assert {
    condition = alltrue([
      aws_budgets_budget.this.limit_amount == "50",
      one(aws_budgets_budget.this.cost_filter).values == tolist(["user:Stack$scones-test"]),
      length(aws_budgets_budget.this.notification) == 3,
      alltrue([for each in aws_budgets_budget.this.notification : each.subscriber_sns_topic_arns == toset([var.topic_arn])]),
    ])
    error_message = "The budget must cover this environment only, and publish to the SNS topic."
  }
}

run "serverless_endpoint_has_no_idle_alarm" {
  command = plan

  module {
    source = "./modules/cost_control"
  }

  variables {
    instance_based = false
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.idle) == 0
    error_message = "A serverless endpoint costs nothing while idle, so it must have no idle alarm."
  }
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/cost_control"
  }

  variables {
    prefix         = "Scones_Test"
    endpoint_hours = 1.5
    idle_hours     = 25
    budget_usd     = 0
    topic_arn      = "some-topic"

    deployment_timeout_seconds = 3601
  }

  expect_failures = [var.deployment_timeout_seconds, var.prefix, var.endpoint_hours, var.idle_hours, var.budget_usd, var.topic_arn]
}
