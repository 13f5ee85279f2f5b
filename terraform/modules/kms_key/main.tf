locals {
  arn_prefix = "arn:${data.aws_partition.this.partition}"
  account_id = data.aws_caller_identity.this.account_id
  region     = data.aws_region.this.name

  # The account's root principal lets IAM policies allow access to the key. A deployment role's IAM policy requires the
  # environment's tag, and IAM may evaluate a new tag only after some minutes. The key policy therefore also names the
  # deployment role, which can then use a key that it has just created:
  # https://docs.aws.amazon.com/kms/latest/developerguide/tag-authorization.html
  principals = concat(["${local.arn_prefix}:iam::${local.account_id}:root"], var.administrators)

  use = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
}

data "aws_partition" "this" {}

data "aws_region" "this" {}

data "aws_caller_identity" "this" {}

# In a key policy, the resource `*` is the key itself: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
data "aws_iam_policy_document" "this" {
  #checkov:skip=CKV_AWS_109:in a key policy, the resource `*` is the key itself
  #checkov:skip=CKV_AWS_111:in a key policy, the resource `*` is the key itself
  #checkov:skip=CKV_AWS_356:in a key policy, the resource `*` is the key itself
  statement {
    sid = "Administer"
    actions = [
      "kms:CancelKeyDeletion",
      "kms:CreateAlias",
      "kms:DeleteAlias",
      "kms:DescribeKey",
      "kms:DisableKey",
      "kms:EnableKey",
      "kms:EnableKeyRotation",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:ListGrants",
      "kms:ListResourceTags",
      "kms:PutKeyPolicy",
      "kms:RevokeGrant",
      "kms:ScheduleKeyDeletion",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = local.principals
    }
  }

  # Principals can use the key only through a service that stores data. All except the administrators also need an IAM
  # policy that allows access to the key.
  statement {
    sid       = "UseThroughDataServices"
    actions   = local.use
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = local.principals
    }

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["s3", "dynamodb", "sns", "sagemaker"] : "${service}.${local.region}.amazonaws.com"]
    }

    dynamic "condition" {
      for_each = var.users == null ? [] : [var.users]

      content {
        test     = "ArnLike"
        variable = "aws:PrincipalArn"
        values   = condition.value
      }
    }
  }

  # DynamoDB and SageMaker need a grant, because they decrypt data long after the request that created the table or
  # volume
  statement {
    sid       = "CreateGrantsForDataServices"
    actions   = ["kms:CreateGrant"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = local.principals
    }

    condition {
      test     = "Bool"
      variable = "kms:GrantIsForAWSResource"
      values   = ["true"]
    }

    dynamic "condition" {
      for_each = var.users == null ? [] : [var.users]

      content {
        test     = "ArnLike"
        variable = "aws:PrincipalArn"
        values   = condition.value
      }
    }
  }

  statement {
    sid       = "WriteLogs"
    actions   = local.use
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["${local.arn_prefix}:logs:${local.region}:${local.account_id}:log-group:*${var.prefix}-*"]
    }
  }

  statement {
    sid       = "PublishAlarms"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }

  # SNS does not support a condition on the source account or source ARN for EventBridge: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
  statement {
    sid       = "PublishEvents"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:sns:topicArn"
      values   = ["${local.arn_prefix}:sns:${local.region}:${local.account_id}:${var.prefix}-*"]
    }
  }
}

resource "aws_kms_key" "this" {
  description             = "Encrypts the data, logs and notifications of ${var.prefix}."
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_window_in_days
  policy                  = data.aws_iam_policy_document.this.json
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.prefix}"
  target_key_id = aws_kms_key.this.key_id
}
