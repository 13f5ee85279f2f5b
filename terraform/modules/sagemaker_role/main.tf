locals {
  arn_prefix     = "arn:${data.aws_partition.this.partition}"
  region_account = "${data.aws_region.this.name}:${data.aws_caller_identity.this.account_id}"
}

data "aws_partition" "this" {}

data "aws_region" "this" {}

data "aws_caller_identity" "this" {}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["sagemaker.amazonaws.com"]
    }

    # https://docs.aws.amazon.com/sagemaker/latest/dg/security-confused-deputy-prevention.html
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

# Permissions that SageMaker needs in the role of a job or model: https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
data "aws_iam_policy_document" "this" {
  source_policy_documents = var.network_policy[*]

  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = [for key in var.readable_keys : "${var.bucket_arn}/${key}"]
  }

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [var.bucket_arn]
  }

  statement {
    sid       = "Write"
    actions   = ["s3:PutObject"]
    resources = [for prefix in var.writable_prefixes : "${var.bucket_arn}/${prefix}/*"]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*"]
    resources = [var.kms_key_arn]
  }

  dynamic "statement" {
    for_each = var.encrypts_volumes ? [var.kms_key_arn] : []

    content {
      sid       = "CreateGrantsForVolumes"
      actions   = ["kms:CreateGrant"]
      resources = [statement.value]

      condition {
        test     = "Bool"
        variable = "kms:GrantIsForAWSResource"
        values   = ["true"]
      }
    }
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = [for name in var.log_groups : "${local.arn_prefix}:logs:${local.region_account}:log-group:/aws/sagemaker/${name}*"]
  }

  statement {
    sid     = "WriteMetrics"
    actions = ["cloudwatch:PutMetricData"]
    # PutMetricData supports no resource ARN, so a condition restricts the namespace
    resources = ["*"]

    condition {
      test     = "StringLike"
      variable = "cloudwatch:namespace"
      values   = concat(["/aws/sagemaker/*", "AWS/SageMaker"], var.metrics_namespaces)
    }
  }

  dynamic "statement" {
    for_each = length(var.topic_arns) > 0 ? [var.topic_arns] : []

    content {
      sid       = "Notify"
      actions   = ["sns:Publish"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = length(var.watched_alarms) > 0 ? [var.watched_alarms] : []

    # https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
    content {
      sid       = "WatchDeployments"
      actions   = ["cloudwatch:DescribeAlarms"]
      resources = [for name in statement.value : "${local.arn_prefix}:cloudwatch:${local.region_account}:alarm:${name}"]
    }
  }

  statement {
    sid       = "PullImage"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [for name in var.repositories : "${local.arn_prefix}:ecr:*:*:repository/${name}"]
  }

  statement {
    sid     = "LogInToRegistry"
    actions = ["ecr:GetAuthorizationToken"]
    # GetAuthorizationToken supports no resource ARN
    resources = ["*"]
  }
}

resource "aws_iam_role" "this" {
  name                 = var.name
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  name   = "containers"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}
