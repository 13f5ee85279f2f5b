module "bucket" {
  source = "../bucket"

  name          = var.bucket_name
  kms_key_arn   = var.kms_key_arn
  force_destroy = !var.protected
}

resource "aws_s3_bucket_logging" "this" {
  bucket        = module.bucket.name
  target_bucket = module.access_logs.name
  target_prefix = "${var.bucket_name}/"
}

# S3 cannot deliver access logs to a bucket that is encrypted with a customer managed key, so this bucket uses S3's own key.
module "access_logs" {
  source = "../bucket"

  name             = var.access_logs_bucket_name
  force_destroy    = true # S3 may deliver logs while the bucket is emptied
  policy_documents = [data.aws_iam_policy_document.access_logs.json]
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_iam_policy_document" "access_logs" {
  statement {
    sid       = "WriteAccessLogs"
    actions   = ["s3:PutObject"]
    resources = ["arn:${data.aws_partition.this.partition}:s3:::${var.access_logs_bucket_name}/${var.bucket_name}/*"]

    principals {
      type        = "Service"
      identifiers = ["logging.s3.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "access_logs" {
  count  = var.capture_retention_days == null ? 0 : 1
  bucket = module.access_logs.name

  rule {
    id     = "access-logs"
    status = "Enabled"

    filter {}

    expiration {
      days = var.capture_retention_days
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

locals {
  # Lifecycle rules: a key prefix, and the days after which S3 deletes the objects below this prefix
  expirations = merge(
    var.capture_retention_days == null ? {} : { captured-data = { prefix = var.data_capture_prefix, days = var.capture_retention_days } },
    var.photo_retention_days == null ? {} : { for prefix in var.photo_prefixes : prefix => { prefix = prefix, days = var.photo_retention_days } },
  )
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count  = length(local.expirations) == 0 ? 0 : 1
  bucket = module.bucket.name

  dynamic "rule" {
    for_each = local.expirations

    content {
      id     = rule.key
      status = "Enabled"

      filter {
        prefix = "${rule.value.prefix}/"
      }

      expiration {
        days = rule.value.days
      }

      noncurrent_version_expiration {
        noncurrent_days = 1
      }
    }
  }

  # Delete markers must also expire, because their keys contain the names of drivers
  rule {
    id     = "delete-markers"
    status = "Enabled"

    filter {}

    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  dynamic "rule" {
    for_each = var.capture_retention_days[*]

    content {
      id     = "old-versions"
      status = "Enabled"

      filter {}

      noncurrent_version_expiration {
        noncurrent_days = rule.value
      }
    }
  }
}

resource "aws_dynamodb_table" "this" {
  name                        = var.table_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "image"
  range_key                   = "version"
  deletion_protection_enabled = var.protected

  dynamic "attribute" {
    for_each = ["image", "version", "driver", "photographed"]

    content {
      name = attribute.value
      type = "S"
    }
  }

  # Only the items of drivers' photographs have the attribute `driver`, so the index contains no other items
  global_secondary_index {
    name            = "driver"
    hash_key        = "driver"
    range_key       = "photographed"
    projection_type = "KEYS_ONLY"
  }

  dynamic "ttl" {
    for_each = var.photo_retention_days[*]

    content {
      attribute_name = "expires"
      enabled        = true
    }
  }

  point_in_time_recovery {
    enabled = var.protected
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}

resource "aws_dynamodb_table" "drivers" {
  name                        = var.drivers_table_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "driver"
  deletion_protection_enabled = var.protected

  attribute {
    name = "driver"
    type = "S"
  }

  dynamic "ttl" {
    for_each = var.photo_retention_days[*]

    content {
      attribute_name = "expires"
      enabled        = true
    }
  }

  point_in_time_recovery {
    enabled = var.protected
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}
