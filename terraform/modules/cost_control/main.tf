locals {
  name = "${var.prefix}-endpoint-expiry"

  # `count` must be known during planning, when the ARN of a new endpoint is unknown; the variant name is known
  endpoint_count = var.variant_name == null ? 0 : 1
  queue_count    = var.endpoint_hours == null ? 0 : 1
  schedule_count = local.queue_count * local.endpoint_count

  # The endpoint's lifetime is an ISO 8601 interval, start/end, in an SSM parameter. A plan keeps the stored interval,
  # whether or not the endpoint still exists, and begins a new interval if the stored one has ended. `make extend`
  # changes the end.
  stored   = try(split("/", one(nonsensitive(data.aws_ssm_parameters_by_path.lifetime.values))), null)
  keep     = try(timecmp(local.stored[1], plantimestamp()) > 0, false)
  start    = local.keep ? local.stored[0] : timestamp()
  end      = local.keep ? local.stored[1] : try(timeadd(local.start, "${var.endpoint_hours}h"), null)
  interval = "${local.start}/${coalesce(local.end, local.start)}"

  # Seconds for which EventBridge Scheduler retries the deletion. SageMaker cannot delete an endpoint while a deployment
  # updates it, and a deployment that began just before the end of the lifetime may continue until its timeout.
  maximum_event_age = var.deployment_timeout_seconds + 1800

  # Time from which the schedule's role may delete the endpoint. After the start of a lifetime, the schedule of the
  # previous lifetime may retry its deletion for maximum_event_age. The role may delete the endpoint only after these
  # retries, so that a late retry cannot delete an endpoint that was deployed again. If the lifetime ends earlier, the
  # role may delete the endpoint from a minute before the end, because Scheduler may invoke its target at any second of
  # the minute that contains the end:
  # https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
  # `make extend` postpones the stored end. So that an extension does not change the role's policy, the time is computed
  # from the original end if that is earlier. If endpoint_hours is short, this time is before the last retry, so a late
  # retry can still delete the endpoint.
  last_retry   = timeadd(local.start, "${local.maximum_event_age}s")
  original_end = try(timeadd(local.start, "${var.endpoint_hours}h"), null)
  before_ends  = [for end in [local.original_end, local.end] : timeadd(end, "-1m") if end != null]
  # the earliest time: times in one format and in UTC can be sorted as strings
  deletion_from = sort(concat([local.last_retry], local.before_ends))[0]

  # Percentages of the budget at which actual and forecasted costs cause a notification
  notifications = {
    ACTUAL     = [80, 100]
    FORECASTED = [100]
  }
}

data "aws_caller_identity" "this" {}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

data "aws_ssm_parameters_by_path" "lifetime" {
  path = var.lifetime_path
}

data "aws_iam_policy_document" "this" {
  count = local.schedule_count

  statement {
    sid       = "DeleteEndpoint"
    actions   = ["sagemaker:DeleteEndpoint"]
    resources = [var.endpoint_arn]

    condition {
      test     = "DateGreaterThan"
      variable = "aws:CurrentTime"
      values   = [local.deletion_from]
    }
  }

  # If an endpoint has automatic scaling, SageMaker deletes it only if the caller may deregister its scalable target. The
  # resource is `*`, because the ARN of a scalable target is unknown before the target exists:
  # https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-delete-with-scaling.html
  statement {
    sid       = "DeregisterScalableTarget"
    actions   = ["application-autoscaling:DeregisterScalableTarget"]
    resources = ["arn:${var.partition}:application-autoscaling:*:${data.aws_caller_identity.this.account_id}:scalable-target/*"]

    condition {
      test     = "StringEquals"
      variable = "application-autoscaling:service-namespace"
      values   = ["sagemaker"]
    }

    condition {
      test     = "DateGreaterThan"
      variable = "aws:CurrentTime"
      values   = [local.deletion_from]
    }
  }

  # https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
  statement {
    sid       = "ReportFailure"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.this[0].arn]
  }
}

# Receives the schedule's invocations that failed after all retries
resource "aws_sqs_queue" "this" {
  count = local.queue_count

  name                      = "${local.name}-failures"
  message_retention_seconds = 1209600 # the maximum, 14 days
  sqs_managed_sse_enabled   = true
}

resource "aws_iam_role" "this" {
  count = local.schedule_count

  name                 = local.name
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  count = local.schedule_count

  name   = "delete-endpoint"
  role   = aws_iam_role.this[0].id
  policy = data.aws_iam_policy_document.this[0].json
}

resource "aws_ssm_parameter" "lifetime" {
  #checkov:skip=CKV2_AWS_34:the start and the end of a lifetime are not secret
  count = local.schedule_count

  name           = "${var.lifetime_path}/interval"
  description    = "Start and end of the endpoint's lifetime."
  type           = "String"
  insecure_value = local.interval
}

# Terraform creates the schedule before the endpoint, so an interrupted apply never leaves an endpoint that no schedule
# deletes
resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:the schedule contains an endpoint name and no secrets
  count = local.schedule_count

  name                = local.name
  description         = "Deletes the endpoint at the end of its lifetime."
  schedule_expression = "at(${trimsuffix(local.end, "Z")})"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    # universal target: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
    arn      = "arn:${var.partition}:scheduler:::aws-sdk:sagemaker:deleteEndpoint"
    role_arn = aws_iam_role.this[0].arn
    input    = jsonencode({ EndpointName = var.endpoint_name })

    retry_policy {
      maximum_event_age_in_seconds = local.maximum_event_age
    }

    dead_letter_config {
      arn = aws_sqs_queue.this[0].arn
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_cloudwatch_metric_alarm" "expiry" {
  count = local.queue_count

  alarm_name          = "${local.name}-failed"
  alarm_description   = "The schedule could not delete the endpoint, whose instances are billed. Run `make down ENV=${trimprefix(var.prefix, "scones-")}`, or delete the endpoint, then purge the queue ${local.name}-failures, whose messages contain the error."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = one(aws_sqs_queue.this[*].name) }
  statistic           = "Maximum"
  period              = 300
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]
}

# Without requests, CloudWatch has no data for Invocations, so FILL returns 0. Without instances, CloudWatch has no data
# for CPUUtilization, so `0 * cpu` removes the result, and a missing endpoint does not count as idle.
resource "aws_cloudwatch_metric_alarm" "idle" {
  count = var.instance_based ? local.endpoint_count : 0

  alarm_name          = "${var.prefix}-endpoint-idle"
  alarm_description   = "The endpoint received no request for ${var.idle_hours} hours, and its instances are billed. Run `make down ENV=${trimprefix(var.prefix, "scones-")}`. If endpoint_hours is set, a schedule deletes the endpoint at the end of its lifetime."
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = var.idle_hours
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]

  metric_query {
    id          = "requests"
    expression  = "FILL(invocations, 0) + 0 * cpu"
    label       = "requests while instances run"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = {
      invocations = { namespace = "AWS/SageMaker", name = "Invocations", stat = "Sum" }
      cpu         = { namespace = "/aws/sagemaker/Endpoints", name = "CPUUtilization", stat = "Maximum" }
    }

    content {
      id = metric_query.key

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        stat        = metric_query.value.stat
        period      = 3600
        dimensions  = { EndpointName = var.endpoint_name, VariantName = var.variant_name }
      }
    }
  }
}

resource "aws_budgets_budget" "this" {
  name         = "${var.prefix}-monthly"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.budget_usd)
  limit_unit   = "USD"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:Stack$%s", var.prefix)]
  }

  dynamic "notification" {
    for_each = flatten([for type, percentages in local.notifications : [for percentage in percentages : { type = type, percentage = percentage }]])

    content {
      comparison_operator       = "GREATER_THAN"
      notification_type         = notification.value.type
      threshold                 = notification.value.percentage
      threshold_type            = "PERCENTAGE"
      subscriber_sns_topic_arns = [var.topic_arn]
    }
  }
}
