locals {
  name = "${var.prefix}-workflow"

  permissions = {
    InvokeFunctions = { actions = ["lambda:InvokeFunction"], resources = flatten([for arn in values(var.function_arns) : [arn, "${arn}:*"]]) }
    FindVehicle     = { actions = ["dynamodb:GetItem"], resources = [var.vehicles_table_arn] }
    PutItems        = { actions = ["dynamodb:PutItem"], resources = [var.vehicles_table_arn, var.drivers_table_arn] }
    CopyPhotographs = { actions = ["s3:GetObjectVersion"], resources = ["${var.bucket_arn}/${var.incoming_prefix}/*"] }
    WriteReviews    = { actions = ["s3:PutObject"], resources = ["${var.bucket_arn}/${var.review_prefix}/*"] }
    Publish         = { actions = ["sns:Publish"], resources = [var.topic_arn] }
    UseKey          = { actions = ["kms:Decrypt", "kms:GenerateDataKey*"], resources = [var.kms_key_arn] } # for the SNS topic, the DynamoDB tables and the S3 bucket

    # log delivery actions support no resource ARN: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
    DeliverLogs = {
      actions = [
        for name in ["CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries", "PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups"] :
        "logs:${name}"
      ]
      resources = ["*"]
    }

    # X-Ray actions support no resource ARN
    Trace = {
      actions   = [for name in ["GetSamplingRules", "GetSamplingTargets", "PutTelemetryRecords", "PutTraceSegments"] : "xray:${name}"]
      resources = ["*"]
    }
  }
}

data "aws_caller_identity" "this" {}

module "definition" {
  source = "../state_machine_definition"

  name              = local.name
  environment       = var.environment
  function_arns     = var.function_arns
  bucket_name       = var.bucket_name
  incoming_prefix   = var.incoming_prefix
  review_prefix     = var.review_prefix
  vehicles_table    = var.vehicles_table
  drivers_table     = var.drivers_table
  classes           = var.classes
  zones             = var.zones
  retention_days    = var.photo_retention_days
  topic_arn         = var.topic_arn
  metrics_namespace = var.metrics_namespace
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["states.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

data "aws_iam_policy_document" "this" {
  dynamic "statement" {
    for_each = local.permissions

    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }

  statement {
    sid     = "PublishMetrics"
    actions = ["cloudwatch:PutMetricData"]
    # PutMetricData supports no resource ARN, so a condition restricts the namespace
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = [var.metrics_namespace]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = local.name
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  name   = "workflow"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:log_retention_days is set per environment; one year in production
  name              = "/aws/vendedlogs/states/${local.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_sfn_state_machine" "this" {
  #checkov:skip=CKV_AWS_285:errors are logged, without execution data, which contains images
  name       = local.name
  role_arn   = aws_iam_role.this.arn
  definition = module.definition.json

  logging_configuration {
    level                  = "ERROR"
    include_execution_data = false # it contains images
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
  }

  tracing_configuration {
    enabled = true
  }

  # Step Functions rejects a log group to which the role has no permissions yet
  depends_on = [aws_iam_role_policy.this]
}
