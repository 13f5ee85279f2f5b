# The alarms that roll a deployment back.

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

run "alarms_cover_model_failures_but_not_client_errors" {
  command = plan

  module {
    source = "./modules/endpoint_alarms"
  }

  assert {
    condition     = toset(output.names) == toset(["some-endpoint-5xx", "some-endpoint-model-errors", "some-endpoint-latency"])
    error_message = "There must be alarms for server errors, model errors and latency."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["latency"].threshold == 1000000
    error_message = "The latency threshold must be in microseconds, as CloudWatch reports latencies."
  }

  assert {
    condition     = { for name, alarm in aws_cloudwatch_metric_alarm.this : name => "${alarm.datapoints_to_alarm} of ${alarm.evaluation_periods}" } == { "5xx" = "1 of 1", "model-errors" = "1 of 1", "latency" = "2 of 3" }
    error_message = "One error must roll a deployment back, and one slow response must not."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.treat_missing_data == "notBreaching"])
    error_message = "An endpoint without requests must not be rolled back."
  }

  assert {
    condition     = one([for query in aws_cloudwatch_metric_alarm.this["model-errors"].metric_query : query.expression if query.return_data]) == "errors - client_errors"
    error_message = "Client errors must not roll a deployment back."
  }

  assert {
    condition     = alltrue(flatten([for alarm in aws_cloudwatch_metric_alarm.this : [for query in alarm.metric_query : [for metric in query.metric : metric.dimensions["EndpointName"] == "some-endpoint" && metric.dimensions["VariantName"] == "AllTraffic"]]]))
    error_message = "The alarms must monitor the variant that the old and the new model share."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([var.topic_arn])])
    error_message = "Each alarm must publish to the SNS topic."
  }
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/endpoint_alarms"
  }

  variables {
    latency_limit_ms = 0
    period_seconds   = 45
    topic_arn        = "some-topic"
  }

  expect_failures = [var.latency_limit_ms, var.period_seconds, var.topic_arn]
}
