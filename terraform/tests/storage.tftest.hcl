# The table is kept from destruction where asked; captured data and access logs are not kept for ever.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  bucket_name             = "some-bucket"
  access_logs_bucket_name = "some-logs"
  table_name              = "some-table"
  data_capture_key        = "data_capture"
  capture_retention_days  = 30
  protected               = true
  kms_key_arn             = "arn:aws:kms:us-east-1:123456789012:key/some-key"
}

run "protected_data_outlives_destroy" {
  command = plan

  module {
    source = "./modules/storage"
  }

  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled && one(aws_dynamodb_table.this.point_in_time_recovery).enabled
    error_message = "A protected table must stay, and be recoverable."
  }
}

run "unprotected_data_goes_with_destroy" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    protected = false
  }

  assert {
    condition     = !aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "A table that is not protected must go."
  }
}

run "captured_data_is_deleted_in_time" {
  module {
    source = "./modules/storage"
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.this[0].rule : one(rule.expiration).days
      if one(rule.filter).prefix == "data_capture/"
    ] == [30]
    error_message = "Captured data, and nothing else, must expire."
  }
}

run "captured_data_is_kept_where_no_days_are_given" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    capture_retention_days = null
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this) + length(aws_s3_bucket_lifecycle_configuration.access_logs) == 0
    error_message = "Without days there must be no rule."
  }
}

run "the_table_is_encrypted_with_the_customers_key" {
  command = plan

  module {
    source = "./modules/storage"
  }

  assert {
    condition     = one(aws_dynamodb_table.this.server_side_encryption).kms_key_arn == var.kms_key_arn
    error_message = "The table must be encrypted with the key that is given."
  }
}

run "s3_alone_writes_access_logs_and_for_this_account_alone" {
  module {
    source = "./modules/storage"
  }

  assert {
    condition = alltrue([
      one(data.aws_iam_policy_document.access_logs.statement).actions == toset(["s3:PutObject"]),
      one(data.aws_iam_policy_document.access_logs.statement).resources == toset(["arn:aws:s3:::some-logs/some-bucket/*"]),
      one(one(data.aws_iam_policy_document.access_logs.statement).principals).identifiers == toset(["logging.s3.amazonaws.com"]),
      one(one(data.aws_iam_policy_document.access_logs.statement).condition).values == tolist(["123456789012"]),
    ])
    error_message = "Nobody else may write what was asked of the bucket."
  }
}

run "the_buckets_requests_are_told_to_the_other" {
  module {
    source = "./modules/storage"
  }

  assert {
    condition     = aws_s3_bucket_logging.this.target_prefix == "some-bucket/" && aws_s3_bucket_logging.this.target_bucket == output.access_logs_bucket_name
    error_message = "Who asked the bucket for what must be known afterwards."
  }
}

run "inputs_of_another_form_are_refused" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    kms_key_arn             = "alias/scones-test"
    access_logs_bucket_name = "some-bucket"
    table_name              = "a table"
    data_capture_key        = "data_capture/"
    capture_retention_days  = 0
  }

  expect_failures = [var.kms_key_arn, var.access_logs_bucket_name, var.table_name, var.data_capture_key, var.capture_retention_days]
}
