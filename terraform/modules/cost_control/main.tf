locals {
  name = "${var.prefix}-endpoint-expiry"

  # `count` must be known during planning, when the variant name is known and the ARN of a new endpoint is not
  endpoint_count = var.variant_name == null ? 0 : 1
  schedule_count = var.endpoint_hours == null ? 0 : local.endpoint_count

  # Percentages of the budget, of actual and of forecasted costs
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

data "aws_iam_policy_document" "this" {
  count = local.schedule_count

  statement {
    sid       = "DeleteEndpoint"
    actions   = ["sagemaker:DeleteEndpoint"]
    resources = [var.endpoint_arn]
  }
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

# Changes whenever an endpoint is created, which replaces the schedule. A new endpoint has the same ARN as its predecessor, but the
# plan does not know it yet, so Terraform plans a change here.
resource "terraform_data" "endpoint" {
  count = local.schedule_count

  input = var.endpoint_arn
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:the schedule contains an endpoint name and no secrets
  count = local.schedule_count

  name                = local.name
  description         = "Deletes the endpoint at the end of its time to live."
  schedule_expression = "at(${formatdate("YYYY-MM-DD'T'hh:mm:ss", timeadd(timestamp(), "${var.endpoint_hours}h"))})"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    # universal target: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
    arn      = "arn:${var.partition}:scheduler:::aws-sdk:sagemaker:deleteEndpoint"
    role_arn = aws_iam_role.this[0].arn
    input    = jsonencode({ EndpointName = var.endpoint_name })
  }

  lifecycle {
    # the time counts from the endpoint's creation, and `make extend` changes it
    ignore_changes       = [schedule_expression]
    replace_triggered_by = [terraform_data.endpoint]
  }

  depends_on = [aws_iam_role_policy.this]
}

# Without requests, CloudWatch has no data for Invocations, and FILL returns 0. Without instances, there is no data for
# CPUUtilization, and `0 * cpu` removes the result, so a missing endpoint does not count as idle.
resource "aws_cloudwatch_metric_alarm" "idle" {
  count = var.instance_based ? local.endpoint_count : 0

  alarm_name          = "${var.prefix}-endpoint-idle"
  alarm_description   = "The endpoint received no request for ${var.idle_hours} hours, and its instances are billed. Run `make down`, or, if endpoint_hours is set, let its schedule delete it."
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
