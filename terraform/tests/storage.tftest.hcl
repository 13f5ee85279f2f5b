# The data bucket, its access logs and the DynamoDB tables.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  bucket_name             = "some-bucket"
  access_logs_bucket_name = "some-logs"
  table_name              = "some-table"
  data_capture_prefix     = "data_capture"
  drivers_table_name      = "some-drivers"
  photo_prefixes          = ["incoming", "review"]
  photo_retention_days    = 7
  capture_retention_days  = 30
  protected               = true
  kms_key_arn             = "arn:aws:kms:us-east-1:123456789012:key/some-key"
}

run "data_is_protected_encrypted_logged_and_expires" {
  module {
    source = "./modules/storage"
  }

  assert {
    condition = alltrue([
      for table in [aws_dynamodb_table.this, aws_dynamodb_table.drivers] :
      table.deletion_protection_enabled && one(table.point_in_time_recovery).enabled && one(table.server_side_encryption).kms_key_arn == var.kms_key_arn
    ])
    error_message = "A protected table must have deletion protection and point-in-time recovery, and be encrypted with the given KMS key."
  }

  assert {
    condition = alltrue([
      for table in [aws_dynamodb_table.this, aws_dynamodb_table.drivers] :
      one(table.ttl).enabled && one(table.ttl).attribute_name == "expires"
    ])
    error_message = "Items about photographs must expire."
  }

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.this[0].rule : rule.id => [one(rule.filter).prefix, one(rule.expiration).days]
      if contains(["incoming", "review"], rule.id)
    } == { incoming = ["incoming/", 7], review = ["review/", 7] }
    error_message = "Photographs must expire after photo_retention_days."
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.this[0].rule : one(rule.expiration).days
      if one(rule.filter).prefix == "data_capture/"
    ] == [30]
    error_message = "Captured data must expire after capture_retention_days."
  }

  assert {
    condition = alltrue([
      one(data.aws_iam_policy_document.access_logs.statement).actions == toset(["s3:PutObject"]),
      one(data.aws_iam_policy_document.access_logs.statement).resources == toset(["arn:aws:s3:::some-logs/some-bucket/*"]),
      one(one(data.aws_iam_policy_document.access_logs.statement).principals).identifiers == toset(["logging.s3.amazonaws.com"]),
      one(one(data.aws_iam_policy_document.access_logs.statement).condition).values == tolist(["123456789012"]),
    ])
    error_message = "Only S3's log delivery may write access logs, for this account only."
  }

  assert {
    condition     = aws_s3_bucket_logging.this.target_prefix == "some-bucket/" && aws_s3_bucket_logging.this.target_bucket == output.access_logs_bucket_name
    error_message = "Requests to the data bucket must be logged to the access log bucket."
  }
}

run "unprotected_table_can_be_destroyed" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    protected = false
  }

  assert {
    condition     = !aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "A table that is not protected must have no deletion protection."
  }
}

run "nothing_expires_if_retention_days_are_null" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    capture_retention_days = null
    photo_retention_days   = null
  }

  assert {
    condition     = length(aws_dynamodb_table.this.ttl) + length(aws_dynamodb_table.drivers.ttl) == 0
    error_message = "Without photo_retention_days items must be kept."
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this) + length(aws_s3_bucket_lifecycle_configuration.access_logs) == 0
    error_message = "Without photo_retention_days and capture_retention_days there must be no lifecycle rule."
  }
}

run "prefixes_of_one_character_are_valid" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    data_capture_prefix = "d"
    photo_prefixes      = ["p"]
  }

  assert {
    condition     = length([for rule in one(aws_s3_bucket_lifecycle_configuration.this).rule : rule if try(contains(["d/", "p/"], one(rule.filter).prefix), false)]) == 2
    error_message = "The lifecycle rules must match the objects below both prefixes."
  }
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    kms_key_arn             = "alias/scones-test"
    access_logs_bucket_name = "some-bucket"
    table_name              = "a table"
    data_capture_prefix     = "data_capture/"
    capture_retention_days  = 0
    drivers_table_name      = "a table"
    photo_prefixes          = ["incoming/"]
    photo_retention_days    = 0.5
  }

  expect_failures = [var.kms_key_arn, var.access_logs_bucket_name, var.table_name, var.data_capture_prefix, var.capture_retention_days, var.drivers_table_name, var.photo_prefixes, var.photo_retention_days]
}
