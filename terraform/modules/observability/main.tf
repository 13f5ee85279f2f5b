# What an operator looks at, and what calls one: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
locals {
  doubtful = "THRESHOLD_CONFIDENCE_NOT_MET"
  period   = 300
  machine  = { StateMachineArn = var.state_machine_arn }

  failures = { namespace = var.namespace, name = "Failures", stat = "Sum", dimensions = {} }
  refused  = merge(local.failures, { name = "FailuresByName", dimensions = { Error = local.doubtful } })

  # How executions ended, by Step Functions' own count: https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
  ended = {
    for id, name in { passed = "ExecutionsSucceeded", failed = "ExecutionsFailed", timed_out = "ExecutionsTimedOut", aborted = "ExecutionsAborted" } :
    id => { namespace = "AWS/States", name = name, stat = "Sum", dimensions = local.machine }
  }

  # Where the threshold refuses more than this share, it is the model that is in doubt, not the images
  doubtful_share = 0.5
  doubtful_least = 20

  alarms = {
    workflow-fails = {
      description = "Executions fail for another reason than the threshold, time out or are aborted: read the topic's messages, or make run."
      expression  = "FILL(failures, 0) - FILL(refused, 0) + FILL(timed_out, 0) + FILL(aborted, 0)"
      threshold   = 0
      period      = local.period
      metrics     = { failures = local.failures, refused = local.refused, timed_out = local.ended.timed_out, aborted = local.ended.aborted }
    }
    # Nothing catches these, and so nothing counts or tells them: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    # An hour, as an execution that is counted at the end of a period may fail at the beginning of the next.
    workflow-breaks = {
      description = "Executions fail as States.Runtime or States.DataLimitExceeded, which the state machine cannot catch, or it could not count: the console has their histories."
      expression  = "FILL(failed, 0) - FILL(failures, 0)"
      threshold   = 0
      period      = 3600
      metrics     = { failed = local.ended.failed, failures = local.failures }
    }
    workflow-doubts = {
      description = "The threshold refuses more than half of the images: make evaluate and monitor, then another threshold or model."
      expression  = "IF(FILL(passed, 0) + refused >= ${local.doubtful_least}, refused / (FILL(passed, 0) + refused), 0)"
      threshold   = local.doubtful_share
      period      = 3600
      metrics     = { passed = local.ended.passed, refused = local.refused }
    }
    functions-fail = {
      description = "Serialize or classify fails: their log groups say why. Filter's failures are the threshold's."
      expression  = "FILL(serialize, 0) + FILL(classify, 0)"
      threshold   = 0
      period      = local.period
      metrics     = { for name in ["serialize", "classify"] : name => merge(local.of_functions[name], { name = "Errors" }) }
    }
    functions-throttle = {
      description = "Lambda refuses invocations: the account's concurrency is used up."
      expression  = join(" + ", [for name in keys(var.function_names) : "FILL(${name}, 0)"])
      threshold   = 0
      period      = local.period
      metrics     = { for name, metric in local.of_functions : name => merge(metric, { name = "Throttles" }) }
    }
  }

  of_functions = {
    for name, function in var.function_names :
    name => { namespace = "AWS/Lambda", stat = "Sum", dimensions = { FunctionName = function } }
  }

  of_endpoint = "{AWS/SageMaker,EndpointName,VariantName} EndpointName=\"${var.endpoint_name}\""

  # One line each: title, unit of the axis, the metrics in the dashboard's own form
  charts = [
    { title = "Executions", label = "executions", stat = "Sum", annotations = [], metrics = [
      for name in ["ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"] :
      ["AWS/States", name, "StateMachineArn", var.state_machine_arn]
    ] },
    { title = "Failures by name", label = "executions", stat = "Sum", annotations = [], metrics = [
      [{ expression = "SEARCH('{\"${var.namespace}\",Error} MetricName=\"FailuresByName\"', 'Sum')", label = "", id = "names" }],
    ] },
    { title = "Latency of an execution", label = "ms", stat = "p50", annotations = [], metrics = [
      ["AWS/States", "ExecutionTime", "StateMachineArn", var.state_machine_arn, { label = "p50" }],
      ["AWS/States", "ExecutionTime", "StateMachineArn", var.state_machine_arn, { label = "p99", stat = "p99" }],
    ] },
    { title = "Latency of the model", label = "microseconds", stat = "p99", annotations = [], metrics = [
      [{ expression = "SEARCH('${local.of_endpoint} MetricName=\"ModelLatency\"', 'p99')", label = "", id = "latency" }],
    ] },
    { title = "Confidence", label = "probability", stat = "p50", annotations = [{ label = "threshold", value = var.threshold }], metrics = [
      for share in ["p10", "p50", "p90"] : [var.namespace, "Confidence", { label = share, stat = share }]
    ] },
    { title = "Requests to the endpoint", label = "requests", stat = "Sum", annotations = [], metrics = [
      for name in ["Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors"] :
      [{ expression = "SEARCH('${local.of_endpoint} MetricName=\"${name}\"', 'Sum')", label = name, id = lower(name) }]
    ] },
  ]

  widgets = [for number, chart in local.charts : {
    type   = "metric"
    x      = number % 2 * 12
    y      = floor(number / 2) * 6
    width  = 12
    height = 6
    properties = {
      title       = chart.title
      region      = var.region
      view        = "timeSeries"
      stat        = chart.stat
      period      = local.period
      metrics     = chart.metrics
      yAxis       = { left = { label = chart.label, showUnits = false } }
      annotations = { horizontal = chart.annotations }
    }
  }]

  # Charges are the account's, in one region for all, and there once billing alerts are on:
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/monitor_estimated_charges_with_cloudwatch.html
  cost = {
    type   = "metric"
    x      = 0
    y      = 18
    width  = 24
    height = 6
    properties = {
      title   = "Estimated charges of the account this month (this environment's: make cost, and the budget ${var.prefix}-month)"
      region  = "us-east-1"
      view    = "timeSeries"
      stat    = "Maximum"
      period  = 21600
      metrics = [["AWS/Billing", "EstimatedCharges", "Currency", "USD"]]
    }
  }
}

# Filter writes each image's confidence into its log
resource "aws_cloudwatch_log_metric_filter" "confidence" {
  name           = "${var.prefix}-confidence"
  log_group_name = var.filter_log_group
  pattern        = "{ $.confidence = * }"

  metric_transformation {
    namespace = var.namespace
    name      = "Confidence"
    value     = "$.confidence"
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.prefix}-${each.key}"
  alarm_description   = each.value.description
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]

  metric_query {
    id          = "called"
    expression  = each.value.expression
    label       = each.key
    return_data = true
  }

  dynamic "metric_query" {
    for_each = each.value.metrics

    content {
      id = metric_query.key

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        stat        = metric_query.value.stat
        period      = each.value.period
        dimensions  = metric_query.value.dimensions
      }
    }
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.prefix
  dashboard_body = jsonencode({ widgets = concat(local.widgets, [local.cost]) })
}
