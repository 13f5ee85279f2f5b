# A private bucket: no public access, TLS only, encrypted and versioned.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name        = "some-bucket"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/some-key"
}

run "bucket_is_private_encrypted_and_versioned" {
  module {
    source = "./modules/bucket"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "The public access block must be complete."
  }

  assert {
    condition     = one(aws_s3_bucket_ownership_controls.this.rule).object_ownership == "BucketOwnerEnforced"
    error_message = "ACLs must be disabled."
  }

  # The mocked provider renders no policy JSON, so the assertions read the statement itself
  assert {
    condition = alltrue([
      one(data.aws_iam_policy_document.this.statement).effect == "Deny",
      one(data.aws_iam_policy_document.this.statement).actions == toset(["s3:*"]),
      one(data.aws_iam_policy_document.this.statement).resources == toset(["arn:aws:s3:::some-bucket", "arn:aws:s3:::some-bucket/*"]),
      one(one(data.aws_iam_policy_document.this.statement).principals).identifiers == toset(["*"]),
    ])
    error_message = "The policy must deny every action to every principal, on the bucket and its objects."
  }

  assert {
    condition = alltrue([
      one(one(data.aws_iam_policy_document.this.statement).condition).test == "Bool",
      one(one(data.aws_iam_policy_document.this.statement).condition).variable == "aws:SecureTransport",
      one(one(data.aws_iam_policy_document.this.statement).condition).values == tolist(["false"]),
    ])
    error_message = "The policy must apply to requests without TLS only."
  }

  assert {
    condition     = aws_s3_bucket_policy.this.policy == data.aws_iam_policy_document.this.json
    error_message = "The policy must be attached to the bucket."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms"
    error_message = "Objects must be encrypted with the KMS key."
  }

  assert {
    condition     = one(aws_s3_bucket_versioning.this.versioning_configuration).status == "Enabled"
    error_message = "Versioning must be enabled."
  }

  assert {
    condition     = aws_s3_bucket.this.force_destroy == false
    error_message = "By default a bucket that is not empty must not be destroyed."
  }
}

run "bucket_without_a_kms_key_is_encrypted_with_an_s3_managed_key" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    kms_key_arn = null
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "Without a KMS key, S3 must encrypt the objects with a key that S3 manages."
  }
}

run "invalid_name_is_rejected" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    name = "Some_Bucket"
  }

  expect_failures = [var.name]
}
