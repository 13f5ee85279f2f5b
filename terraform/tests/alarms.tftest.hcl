# What rolls a deployment back, and what must not.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  endpoint_name    = "some-endpoint"
  variant_name     = "AllTraffic"
  latency_limit_ms = 1000
  period_seconds   = 60
  topic_arn        = "arn:aws:sns:us-east-1:123456789012:some-topic"
}

run "what_the_model_does_wrong_rolls_back_and_nothing_else" {
  command = plan

  module {
    source = "./modules/alarms"
  }

  assert {
    condition     = toset(output.names) == toset(["some-endpoint-5xx", "some-endpoint-model-errors", "some-endpoint-latency"])
    error_message = "Server errors, model errors and latency must be watched."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["latency"].threshold == 1000000
    error_message = "CloudWatch has latencies in microseconds."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.treat_missing_data == "notBreaching"])
    error_message = "An endpoint that nobody asks must not be rolled back."
  }

  assert {
    condition     = one([for query in aws_cloudwatch_metric_alarm.this["model-errors"].metric_query : query.expression if query.return_data]) == "errors - refused"
    error_message = "What the caller does wrong must not roll a deployment back."
  }

  assert {
    condition     = alltrue(flatten([for alarm in aws_cloudwatch_metric_alarm.this : [for query in alarm.metric_query : [for metric in query.metric : metric.dimensions["EndpointName"] == "some-endpoint" && metric.dimensions["VariantName"] == "AllTraffic"]]]))
    error_message = "The alarms must watch the variant that old and new model share."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([var.topic_arn])])
    error_message = "A model that fails must be told, whether it is being deployed or not."
  }
}

run "inputs_of_another_form_are_refused" {
  command = plan

  module {
    source = "./modules/alarms"
  }

  variables {
    latency_limit_ms = 0
    period_seconds   = 45
    topic_arn        = "some-topic"
  }

  expect_failures = [var.latency_limit_ms, var.period_seconds, var.topic_arn]
}
