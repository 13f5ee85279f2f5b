# The bucket and the table: closed to the public and to plain HTTP, and kept from destruction where asked.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  bucket_name            = "some-bucket"
  table_name             = "some-table"
  data_capture_key       = "data_capture"
  capture_retention_days = 30
  protected              = true
}

run "the_bucket_is_closed_to_the_public" {
  command = plan

  module {
    source = "./modules/storage"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "Each of the four ways to the public must be blocked."
  }

  assert {
    condition     = one(aws_s3_bucket_ownership_controls.this.rule).object_ownership == "BucketOwnerEnforced"
    error_message = "Access lists must be off."
  }
}

run "the_bucket_refuses_what_comes_without_tls" {
  module {
    source = "./modules/storage"
  }

  # the mocked provider writes no policy's JSON, so that the statement itself is looked at
  assert {
    condition = alltrue([
      one(data.aws_iam_policy_document.tls_only.statement).effect == "Deny",
      one(data.aws_iam_policy_document.tls_only.statement).actions == toset(["s3:*"]),
      one(data.aws_iam_policy_document.tls_only.statement).resources == toset(["arn:aws:s3:::some-bucket", "arn:aws:s3:::some-bucket/*"]),
      one(one(data.aws_iam_policy_document.tls_only.statement).principals).identifiers == toset(["*"]),
    ])
    error_message = "The policy must deny everybody everything in the bucket and on it."
  }

  assert {
    condition = alltrue([
      one(one(data.aws_iam_policy_document.tls_only.statement).condition).test == "Bool",
      one(one(data.aws_iam_policy_document.tls_only.statement).condition).variable == "aws:SecureTransport",
      one(one(data.aws_iam_policy_document.tls_only.statement).condition).values == tolist(["false"]),
    ])
    error_message = "The policy must hold for what comes without TLS, and for nothing else."
  }

  assert {
    condition     = aws_s3_bucket_policy.this.policy == data.aws_iam_policy_document.tls_only.json
    error_message = "The policy must be the bucket's."
  }
}

run "the_bucket_is_encrypted_and_versioned" {
  command = plan

  module {
    source = "./modules/storage"
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "What lies in the bucket must be encrypted."
  }

  assert {
    condition     = one(aws_s3_bucket_versioning.this.versioning_configuration).status == "Enabled"
    error_message = "Old versions must be kept."
  }
}

run "protected_data_outlives_destroy" {
  command = plan

  module {
    source = "./modules/storage"
  }

  assert {
    condition     = aws_s3_bucket.this.force_destroy == false
    error_message = "A protected bucket that is not empty must stay."
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
    condition     = aws_s3_bucket.this.force_destroy
    error_message = "A bucket that is not protected must go with what is in it."
  }

  assert {
    condition     = !aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "A table that is not protected must go."
  }
}

run "captured_data_is_deleted_in_time" {
  command = plan

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
    condition     = length(aws_s3_bucket_lifecycle_configuration.this) == 0
    error_message = "Without days there must be no rule."
  }
}
