# What keeps an environment from costing more than was meant: the endpoint's time to live, a budget, an alarm on idleness.
locals {
  name = "${var.prefix}-endpoint-end"

  # The ARN of an endpoint that is yet to be made is not known to a plan, its variant is
  serves = var.variant_name == null ? 0 : 1
  ends   = var.endpoint_hours == null ? 0 : local.serves

  # Percent of the budget that calls, spent already or foreseen for the month
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
  count = local.ends

  statement {
    sid       = "EndEndpoint"
    actions   = ["sagemaker:DeleteEndpoint"]
    resources = [var.endpoint_arn]
  }
}

resource "aws_iam_role" "this" {
  count = local.ends

  name                 = local.name
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  count = local.ends

  name   = "end"
  role   = aws_iam_role.this[0].id
  policy = data.aws_iam_policy_document.this[0].json
}

# An endpoint's ARN is known only once it is made: this changes whenever there is a new endpoint, and never else.
resource "terraform_data" "endpoint" {
  count = local.ends

  input = var.endpoint_arn
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:it holds the name of an endpoint, and no secret
  count = local.ends

  name                = local.name
  description         = "Deletes the endpoint when its time to live is over."
  schedule_expression = "at(${formatdate("YYYY-MM-DD'T'hh:mm:ss", timeadd(timestamp(), "${var.endpoint_hours}h"))})"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    # any operation of any service: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
    arn      = "arn:${var.partition}:scheduler:::aws-sdk:sagemaker:deleteEndpoint"
    role_arn = aws_iam_role.this[0].arn
    input    = jsonencode({ EndpointName = var.endpoint_name })
  }

  lifecycle {
    # it counts from the endpoint's creation, and `make extend` moves it
    ignore_changes       = [schedule_expression]
    replace_triggered_by = [terraform_data.endpoint]
  }

  depends_on = [aws_iam_role_policy.this]
}

# Invocations are reported only where there are some, CPU use as long as there are instances. A sum is missing where a
# part of it is, so it tells idle from absent.
resource "aws_cloudwatch_metric_alarm" "idle" {
  count = var.on_instances ? local.serves : 0

  alarm_name          = "${var.prefix}-endpoint-idle"
  alarm_description   = "Nobody asked the endpoint for ${var.idle_hours} hours, and its instances are billed: make down, or let its time to live end it."
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = var.idle_hours
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]

  metric_query {
    id          = "asked"
    expression  = "FILL(invocations, 0) + 0 * cpu"
    label       = "requests while there are instances"
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
  name         = "${var.prefix}-month"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.budget_usd)
  limit_unit   = "USD"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:Stack$%s", var.prefix)]
  }

  dynamic "notification" {
    for_each = flatten([for type, shares in local.notifications : [for share in shares : { type = type, share = share }]])

    content {
      comparison_operator       = "GREATER_THAN"
      notification_type         = notification.value.type
      threshold                 = notification.value.share
      threshold_type            = "PERCENTAGE"
      subscriber_sns_topic_arns = [var.topic_arn]
    }
  }
}
