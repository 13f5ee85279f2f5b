# If one of these alarms goes into ALARM during a deployment, SageMaker rolls the deployment back. At other times, the
# alarms only publish to the SNS topic. They ignore 4xx errors, because a caller who sends an invalid image must not
# stop a deployment. The metric InvocationModelErrors includes 4xx errors, so `model-errors` subtracts
# them: https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
locals {
  alarms = {
    "5xx" = {
      description = "The endpoint returned 5xx errors."
      expression  = "server_errors"
      metrics     = { server_errors = ["Invocation5XXErrors", "Sum"] }
      threshold   = 0
      periods     = { evaluated = 1, breaching = 1 }
    }
    "model-errors" = {
      description = "Model invocations failed, or returned a status other than 2xx or 4xx."
      expression  = "errors - client_errors"
      metrics     = { errors = ["InvocationModelErrors", "Sum"], client_errors = ["Invocation4XXErrors", "Sum"] }
      threshold   = 0
      periods     = { evaluated = 1, breaching = 1 }
    }
    # In a period with few requests, the 99th percentile is the latency of the slowest response. Two of three periods
    # must exceed the limit, so that a single slow response, such as the first response of a new instance, does not roll
    # a deployment back.
    "latency" = {
      description = "The 99th percentile of the model's latency is above ${var.latency_limit_ms} ms in two of three periods."
      expression  = "latency"
      metrics     = { latency = ["ModelLatency", "p99"] }
      threshold   = var.latency_limit_ms * 1000 # microseconds
      periods     = { evaluated = 3, breaching = 2 }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.endpoint_name}-${each.key}"
  alarm_description   = each.value.description
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods.evaluated
  datapoints_to_alarm = each.value.periods.breaching
  treat_missing_data  = "notBreaching" # there is no data without requests
  alarm_actions       = [var.topic_arn]

  dynamic "metric_query" {
    for_each = each.value.metrics

    content {
      id          = metric_query.key
      return_data = metric_query.key == each.value.expression

      metric {
        namespace   = "AWS/SageMaker"
        metric_name = metric_query.value[0]
        stat        = metric_query.value[1]
        period      = var.period_seconds
        dimensions  = { EndpointName = var.endpoint_name, VariantName = var.variant_name }
      }
    }
  }

  dynamic "metric_query" {
    for_each = contains(keys(each.value.metrics), each.value.expression) ? [] : [each.value.expression]

    content {
      id          = "result"
      expression  = metric_query.value
      return_data = true
    }
  }
}
