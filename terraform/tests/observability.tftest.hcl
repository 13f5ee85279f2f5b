# The dashboard, and alarms that distinguish low confidence from faults.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix            = "scones-test"
  region            = "us-east-1"
  namespace         = "scones-test"
  state_machine_arn = "arn:aws:states:us-east-1:123456789012:stateMachine:some-machine"
  batch_arn         = "arn:aws:states:us-east-1:123456789012:stateMachine:some-batch"
  function_names    = { serialize = "some-serialize", classify = "some-classify", filter = "some-filter" }
  filter_log_group  = "/aws/lambda/some-filter"
  endpoint_name     = "some-endpoint"
  threshold         = 0.93
  topic_arn         = "arn:aws:sns:us-east-1:123456789012:some-topic"
  environment       = "test"

  incoming_rule_name     = "some-rule"
  undelivered_queue_arn  = "arn:aws:sqs:us-east-1:123456789012:some-queue"
  undelivered_queue_name = "some-queue"
}

run "alarms_and_dashboard_cover_the_workflow" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition = alltrue([
      for alarm in values(aws_cloudwatch_metric_alarm.this) :
      alarm.alarm_actions == toset([var.topic_arn]) && alarm.treat_missing_data == "notBreaching"
    ])
    error_message = "Each alarm must publish to the SNS topic, and must not go into ALARM without data."
  }

  assert {
    condition = anytrue([
      for query in aws_cloudwatch_metric_alarm.this["workflow-failures"].metric_query :
      try(one(query.metric).dimensions.Error == "THRESHOLD_CONFIDENCE_NOT_MET", false) && query.id == "low_confidence"
    ])
    error_message = "Low-confidence executions must be subtracted from the failures."
  }

  assert {
    condition = alltrue([
      for name in ["workflow-failures", "function-errors"] : length(setsubtract(
        ["ImageInvalidError", "ImageMissingError", "ImageTooLargeError", "KeyInvalidError"],
        [for query in aws_cloudwatch_metric_alarm.this[name].metric_query : try(one(query.metric).dimensions.Error, "")],
      )) == 0
    ])
    error_message = "Invalid images must not cause an alarm, because such alarms would hide failures of the workflow."
  }

  assert {
    condition = alltrue([
      for query in aws_cloudwatch_metric_alarm.this["function-errors"].metric_query :
      try(one(query.metric).dimensions.FunctionName != "some-filter", true)
    ])
    error_message = "The alarm function-errors must not count errors of filter, which fails by design."
  }

  assert {
    condition = alltrue([
      for name in ["ExecutionsTimedOut", "ExecutionsAborted"] :
      contains(flatten([for query in aws_cloudwatch_metric_alarm.this["workflow-failures"].metric_query : query.metric[*].metric_name]), name)
    ])
    error_message = "The alarm workflow-failures must count executions that time out or are aborted, because the state machine cannot count them."
  }

  assert {
    condition     = toset(flatten([for query in aws_cloudwatch_metric_alarm.this["workflow-uncounted-failures"].metric_query : query.metric[*].metric_name])) == toset(["ExecutionsFailed", "Failures"])
    error_message = "An alarm must compare Step Functions' number of failures with the number that the state machine counted."
  }

  # No alarm if ten executions failed and one of them was counted in the hour before. An alarm if three executions failed
  # and none was counted.
  assert {
    condition     = 0.9 * 10 - 9 <= aws_cloudwatch_metric_alarm.this["workflow-uncounted-failures"].threshold && 0.9 * 3 - 0 > aws_cloudwatch_metric_alarm.this["workflow-uncounted-failures"].threshold
    error_message = "A failure that is counted at the end of an hour, before the execution fails in the next hour, must not cause an alarm."
  }

  assert {
    condition     = one([for query in aws_cloudwatch_metric_alarm.this["workflow-uncounted-failures"].metric_query : query.expression if query.id == "result"]) == "0.9 * FILL(failed, 0) - FILL(failures, 0)"
    error_message = "A tenth of the failures may be counted in the hour before."
  }

  assert {
    condition = alltrue([
      jsondecode(aws_cloudwatch_event_rule.uncaught.event_pattern).detail.stateMachineArn == [var.state_machine_arn],
      jsondecode(aws_cloudwatch_event_rule.uncaught.event_pattern).detail["$or"][0].status == ["FAILED"],
      toset([for error in jsondecode(aws_cloudwatch_event_rule.uncaught.event_pattern).detail["$or"][0].error : jsonencode(error)]) == toset([
        "\"States.Runtime\"", "\"States.DataLimitExceeded\"", "\"States.QueryEvaluationError\"", "null", "{\"exists\":false}",
      ]),
      jsondecode(aws_cloudwatch_event_rule.uncaught.event_pattern).detail["$or"][1] == { status = ["TIMED_OUT", "ABORTED"] },
      aws_cloudwatch_event_target.uncaught.arn == var.topic_arn,
      one(aws_cloudwatch_event_target.uncaught.dead_letter_config).arn == var.undelivered_queue_arn,
    ])
    error_message = "Failures that no state can catch must be published to the SNS topic, or kept in the queue if publishing fails."
  }

  assert {
    condition = alltrue([
      for query in aws_cloudwatch_metric_alarm.this["undelivered-events"].metric_query :
      try(one(query.metric).dimensions.QueueName == var.undelivered_queue_name && one(query.metric).stat == "Maximum", true)
    ]) && aws_cloudwatch_metric_alarm.this["undelivered-events"].threshold == 0
    error_message = "An event that cannot be delivered must cause an alarm."
  }

  assert {
    condition = alltrue([
      for title in ["Executions", "Failures by error", "Events of photographs", "Execution time", "Model latency", "Confidence", "Endpoint requests"] :
      contains(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[*].properties.title, title)
    ])
    error_message = "The dashboard must have all charts."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "SEARCH('{\\\"scones-test\\\",Error}")
    error_message = "CloudWatch requires quotes around a namespace with characters other than letters and digits."
  }
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    prefix            = "Scones_Test"
    namespace         = "AWS/Lambda"
    state_machine_arn = "some-machine"
    function_names    = { serialize = "some-serialize" }
    threshold         = 93
    topic_arn         = "some-topic"
  }

  expect_failures = [var.prefix, var.namespace, var.state_machine_arn, var.function_names, var.threshold, var.topic_arn]
}
