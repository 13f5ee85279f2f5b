# Dashboard and alarms: doubts and faults are told apart, and every alarm reaches the topic.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix            = "scones-test"
  region            = "us-east-1"
  namespace         = "scones-test"
  state_machine_arn = "arn:aws:states:us-east-1:123456789012:stateMachine:some-machine"
  function_names    = { serialize = "some-serialize", classify = "some-classify", filter = "some-filter" }
  filter_log_group  = "/aws/lambda/some-filter"
  endpoint_name     = "some-endpoint"
  threshold         = 0.93
  topic_arn         = "arn:aws:sns:us-east-1:123456789012:some-topic"
}

run "every_alarm_calls_and_none_calls_for_silence" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition = alltrue([
      for alarm in values(aws_cloudwatch_metric_alarm.this) :
      alarm.alarm_actions == toset([var.topic_arn]) && alarm.treat_missing_data == "notBreaching"
    ])
    error_message = "An alarm must reach the topic, and no requests are no failure."
  }
}

run "doubts_are_no_faults" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition = anytrue([
      for query in aws_cloudwatch_metric_alarm.this["workflow-fails"].metric_query :
      try(one(query.metric).dimensions.Error == "THRESHOLD_CONFIDENCE_NOT_MET", false) && query.id == "refused"
    ])
    error_message = "What the threshold refused must be taken off the failures."
  }

  assert {
    condition = alltrue([
      for query in aws_cloudwatch_metric_alarm.this["functions-fail"].metric_query :
      try(one(query.metric).dimensions.FunctionName != "some-filter", true)
    ])
    error_message = "Filter fails by design."
  }
}

run "the_dashboard_shows_what_was_asked_for" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition = alltrue([
      for title in ["Executions", "Failures by name", "Latency of an execution", "Latency of the model", "Confidence", "Requests to the endpoint"] :
      contains(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[*].properties.title, title)
    ])
    error_message = "A chart is missing."
  }
}

run "executions_that_nothing_counts_call_too" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition = alltrue([
      for name in ["ExecutionsTimedOut", "ExecutionsAborted"] :
      contains(flatten([for query in aws_cloudwatch_metric_alarm.this["workflow-fails"].metric_query : query.metric[*].metric_name]), name)
    ])
    error_message = "A state machine that is stopped from outside counts nothing itself."
  }

  assert {
    condition     = toset(flatten([for query in aws_cloudwatch_metric_alarm.this["workflow-breaks"].metric_query : query.metric[*].metric_name])) == toset(["ExecutionsFailed", "Failures"])
    error_message = "What the state machine cannot catch must be told from what it counted."
  }
}

run "a_namespace_with_a_dash_is_found" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition     = strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "SEARCH('{\\\"scones-test\\\",Error}")
    error_message = "CloudWatch wants quotes about a name that has more than letters and digits."
  }
}

run "inputs_of_another_form_are_refused" {
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
