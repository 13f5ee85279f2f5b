# Metric math: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
locals {
  period = 300

  # The state machine publishes the number of failures that it catches, in total and by error
  failures       = { namespace = var.namespace, name = "Failures", stat = "Sum", dimensions = {} }
  low_confidence = merge(local.failures, { name = "FailuresByError", dimensions = { Error = "THRESHOLD_CONFIDENCE_NOT_MET" } })

  # Errors that an invalid image causes. The workflow itself is not broken, so these errors cause no alarm. The state
  # machine publishes each of them to the SNS topic.
  image_errors = {
    for id, name in { image_invalid = "ImageInvalidError", image_missing = "ImageMissingError", image_too_large = "ImageTooLargeError", key_invalid = "KeyInvalidError" } :
    id => merge(local.failures, { name = "FailuresByError", dimensions = { Error = name } })
  }
  image_error_count = join(" + ", [for id in keys(local.image_errors) : "FILL(${id}, 0)"])

  # Step Functions' own metrics: https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
  executions = {
    for id, name in { succeeded = "ExecutionsSucceeded", failed = "ExecutionsFailed", timed_out = "ExecutionsTimedOut", aborted = "ExecutionsAborted" } :
    id => { namespace = "AWS/States", name = name, stat = "Sum", dimensions = { StateMachineArn = var.state_machine_arn } }
  }

  # Above this share of low-confidence images, the problem is probably the model and not the images
  low_confidence_share = 0.5
  minimum_executions   = 20

  alarms = {
    workflow-failures = {
      description = "Executions failed for another reason than the image, timed out or were aborted. The SNS messages have the errors."
      expression  = "FILL(failures, 0) - FILL(low_confidence, 0) - (${local.image_error_count}) + FILL(timed_out, 0) + FILL(aborted, 0)"
      threshold   = 0
      period      = local.period
      metrics = merge(local.image_errors, {
        failures = local.failures, low_confidence = local.low_confidence, timed_out = local.executions.timed_out, aborted = local.executions.aborted
      })
    }
    # The state machine counts a failure shortly before the execution fails, so the count and the failure may be in
    # different periods. The alarm therefore tolerates that a tenth of an hour's failures, and at least one failure, is
    # not counted. The EventBridge rule below reports each failure that no state can catch.
    workflow-uncounted-failures = {
      description = "More executions failed than the state machine counted: no state could catch their errors, or counting failed. The Step Functions console shows their history."
      expression  = "0.9 * FILL(failed, 0) - FILL(failures, 0)"
      threshold   = 1
      period      = 3600
      metrics     = { failed = local.executions.failed, failures = local.failures }
    }
    workflow-low-confidence = {
      description = "More than half of the images have a confidence below the threshold. Run `make evaluate monitor ENV=${var.environment}`, then change the threshold or the model."
      expression  = "IF(FILL(succeeded, 0) + low_confidence >= ${local.minimum_executions}, low_confidence / (FILL(succeeded, 0) + low_confidence), 0)"
      threshold   = local.low_confidence_share
      period      = 3600
      metrics     = { succeeded = local.executions.succeeded, low_confidence = local.low_confidence }
    }
    # As above, an error and the state machine's count of it may be in different periods
    function-errors = {
      description = "Functions failed more than once in an hour, for another reason than the image: read their log groups. Filter is not included, because it fails on low confidence by design."
      expression  = "0.9 * (${join(" + ", [for name in local.monitored_functions : "FILL(${name}, 0)"])}) - (${local.image_error_count})"
      threshold   = 1
      period      = 3600
      metrics = merge(local.image_errors, {
        for name in local.monitored_functions : name => merge(local.function_metrics[name], { name = "Errors" })
      })
    }
    undelivered-events = {
      description = "EventBridge could not deliver events: photographs that started no execution, drift jobs that were not started, or failures that were not reported. See docs/operations.md."
      expression  = "FILL(messages, 0)"
      threshold   = 0
      period      = local.period
      metrics     = { messages = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", stat = "Maximum", dimensions = { QueueName = var.undelivered_queue_name } } }
    }
    function-throttles = {
      description = "Lambda throttled invocations, because the account's concurrency is exhausted."
      expression  = join(" + ", [for name in keys(var.function_names) : "FILL(${name}, 0)"])
      threshold   = 0
      period      = local.period
      metrics     = { for name, metric in local.function_metrics : name => merge(metric, { name = "Throttles" }) }
    }
  }

  monitored_functions = setsubtract(keys(var.function_names), ["filter"])

  function_metrics = {
    for name, function in var.function_names :
    name => { namespace = "AWS/Lambda", stat = "Sum", dimensions = { FunctionName = function } }
  }

  endpoint_schema = "{AWS/SageMaker,EndpointName,VariantName} EndpointName=\"${var.endpoint_name}\""

  # Metrics in the format of the dashboard body: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
  charts = [
    { title = "Executions", label = "executions", stat = "Sum", annotations = [], metrics = [
      for name in ["ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"] :
      ["AWS/States", name, "StateMachineArn", var.state_machine_arn]
    ] },
    { title = "Batch executions", label = "executions", stat = "Sum", annotations = [], metrics = [
      for name in ["ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"] :
      ["AWS/States", name, "StateMachineArn", var.batch_arn]
    ] },
    { title = "Failures by error", label = "executions", stat = "Sum", annotations = [], metrics = [
      [{ expression = "SEARCH('{\"${var.namespace}\",Error} MetricName=\"FailuresByError\"', 'Sum')", label = "", id = "errors" }],
    ] },
    { title = "Events of photographs", label = "events", stat = "Sum", annotations = [], metrics = [
      ["AWS/Events", "TriggeredRules", "RuleName", var.incoming_rule_name, { label = "received" }],
      ["AWS/Events", "FailedInvocations", "RuleName", var.incoming_rule_name, { label = "failed" }],
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.undelivered_queue_name, { label = "undelivered", stat = "Maximum" }],
    ] },
    { title = "Execution time", label = "ms", stat = "p50", annotations = [], metrics = [
      ["AWS/States", "ExecutionTime", "StateMachineArn", var.state_machine_arn, { label = "p50" }],
      ["AWS/States", "ExecutionTime", "StateMachineArn", var.state_machine_arn, { label = "p99", stat = "p99" }],
    ] },
    { title = "Model latency", label = "microseconds", stat = "p99", annotations = [], metrics = [
      [{ expression = "SEARCH('${local.endpoint_schema} MetricName=\"ModelLatency\"', 'p99')", label = "", id = "latency" }],
    ] },
    { title = "Confidence", label = "probability", stat = "p50", annotations = [{ label = "threshold", value = var.threshold }], metrics = [
      for percentile in ["p10", "p50", "p90"] : [var.namespace, "Confidence", { label = percentile, stat = percentile }]
    ] },
    { title = "Endpoint requests", label = "requests", stat = "Sum", annotations = [], metrics = [
      for name in ["Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors"] :
      [{ expression = "SEARCH('${local.endpoint_schema} MetricName=\"${name}\"', 'Sum')", label = name, id = lower(name) }]
    ] },
  ]

  # training/container/classifier/drift_job.py publishes these metrics
  drift_charts = [
    { title = "Drift: 1 if a group of properties has drifted", label = "drifted", stat = "Maximum", annotations = [], metrics = [
      [{ expression = "SEARCH('{\"${var.namespace}\",Group} MetricName=\"Drift\"', 'Maximum')", label = "", id = "drift" }],
    ] },
    { title = "Images compared with the baseline", label = "images", stat = "Maximum", annotations = [], metrics = [
      [var.namespace, "DriftWindowImages"],
    ] },
  ]

  widgets = [for number, chart in concat(local.charts, local.drift_charts) : {
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

  # EstimatedCharges covers the whole account, is in us-east-1 only and requires billing alerts:
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/monitor_estimated_charges_with_cloudwatch.html
  cost = {
    type   = "metric"
    x      = 0
    y      = ceil((length(local.charts) + length(local.drift_charts)) / 2) * 6
    width  = 24
    height = 6
    properties = {
      title   = "Estimated charges of the whole account this month (this environment: `make cost` and the budget ${var.prefix}-monthly)"
      region  = "us-east-1"
      view    = "timeSeries"
      stat    = "Maximum"
      period  = 21600
      metrics = [["AWS/Billing", "EstimatedCharges", "Currency", "USD"]]
    }
  }
}

# Filter logs the confidence of each image
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
    id          = "result"
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

# This rule reports the failures that no state can catch: States.Runtime, a state's output that exceeds the size limit,
# an invalid expression in a Choice state, and executions that time out or are aborted:
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html#error-handling-error-representation
# The rule also matches events without the field `error`, because AWS does not document when events have this field:
# https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
resource "aws_cloudwatch_event_rule" "uncaught" {
  name        = "${var.prefix}-uncaught-failures"
  description = "Executions that failed with an error that no state can catch, timed out or were aborted."

  event_pattern = jsonencode({
    source      = ["aws.states"]
    detail-type = ["Step Functions Execution Status Change"]
    detail = {
      stateMachineArn = [var.state_machine_arn]
      "$or" = [
        { status = ["FAILED"], error = ["States.Runtime", "States.DataLimitExceeded", "States.QueryEvaluationError", null, { exists = false }] },
        { status = ["TIMED_OUT", "ABORTED"] },
      ]
    }
  })
}

resource "aws_cloudwatch_event_target" "uncaught" {
  rule      = aws_cloudwatch_event_rule.uncaught.name
  target_id = "topic" # with a generated ID, an apply after a killed one could create a second target
  arn       = var.topic_arn

  input_transformer {
    input_paths    = { for name in ["executionArn", "name", "status", "error", "cause"] : name => "$.detail.${name}" }
    input_template = "\"<executionArn> ended with the status <status>: <error> <cause>. To show the execution: make execution ENV=${var.environment} ID=<name>\""
  }

  dead_letter_config {
    arn = var.undelivered_queue_arn
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.prefix
  dashboard_body = jsonencode({ widgets = concat(local.widgets, [local.cost]) })
}
