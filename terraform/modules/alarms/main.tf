# What rolls a deployment back, and calls at any time. Never 4xx, which are the caller's: whoever sends no image must not stop a deployment.
# InvocationModelErrors counts them too, so they are taken off:
# https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
locals {
  alarms = {
    "5xx" = {
      description = "The model answers with a server's error."
      expression  = "server"
      metrics     = { server = ["Invocation5XXErrors", "Sum"] }
      threshold   = 0
    }
    "model-errors" = {
      description = "The model does not answer, or not with 2xx; 4xx left out."
      expression  = "errors - refused"
      metrics     = { errors = ["InvocationModelErrors", "Sum"], refused = ["Invocation4XXErrors", "Sum"] }
      threshold   = 0
    }
    "latency" = {
      description = "One answer in a hundred takes the model longer than ${var.latency_limit_ms} ms."
      expression  = "latency"
      metrics     = { latency = ["ModelLatency", "p99"] }
      threshold   = var.latency_limit_ms * 1000 # microseconds
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.endpoint_name}-${each.key}"
  alarm_description   = each.value.description
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = 1
  # an endpoint that nobody asks is well
  treat_missing_data = "notBreaching"
  alarm_actions      = [var.topic_arn]

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
