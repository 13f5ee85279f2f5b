locals {
  name = "${var.prefix}-workflow"

  permissions = {
    InvokeFunctions = {
      actions   = ["lambda:InvokeFunction"]
      resources = flatten([for name in ["serialize", "classify", "filter"] : [var.function_arns[name], "${var.function_arns[name]}:*"]])
    }
    FindVehicle     = { actions = ["dynamodb:GetItem"], resources = [var.vehicles_table_arn] }
    PutItems        = { actions = ["dynamodb:PutItem"], resources = [var.vehicles_table_arn, var.drivers_table_arn] }
    CopyPhotographs = { actions = ["s3:GetObjectVersion"], resources = ["${var.bucket_arn}/${var.incoming_prefix}/*"] }
    WriteReviews    = { actions = ["s3:PutObject"], resources = ["${var.bucket_arn}/${var.review_prefix}/*"] }
    Publish         = { actions = ["sns:Publish"], resources = [var.topic_arn] }
    UseKey          = { actions = ["kms:Decrypt", "kms:GenerateDataKey*"], resources = [var.kms_key_arn] } # for the SNS topic, the DynamoDB tables and the S3 bucket
  }
}

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

module "state_machine" {
  source = "../state_machine"

  name                 = local.name
  definition           = module.definition.json
  policy               = data.aws_iam_policy_document.this.json
  log_retention_days   = var.log_retention_days
  kms_key_arn          = var.kms_key_arn
  permissions_boundary = var.permissions_boundary
}
