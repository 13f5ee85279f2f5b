# A bucket: closed to the public and to plain HTTP, encrypted and versioned.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name        = "some-bucket"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/some-key"
}

run "the_bucket_is_closed_to_the_public" {
  command = plan

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
    error_message = "Each of the four ways to the public must be blocked."
  }

  assert {
    condition     = one(aws_s3_bucket_ownership_controls.this.rule).object_ownership == "BucketOwnerEnforced"
    error_message = "Access lists must be off."
  }
}

run "the_bucket_refuses_what_comes_without_tls" {
  module {
    source = "./modules/bucket"
  }

  # the mocked provider writes no policy's JSON, so that the statement itself is looked at
  assert {
    condition = alltrue([
      one(data.aws_iam_policy_document.this.statement).effect == "Deny",
      one(data.aws_iam_policy_document.this.statement).actions == toset(["s3:*"]),
      one(data.aws_iam_policy_document.this.statement).resources == toset(["arn:aws:s3:::some-bucket", "arn:aws:s3:::some-bucket/*"]),
      one(one(data.aws_iam_policy_document.this.statement).principals).identifiers == toset(["*"]),
    ])
    error_message = "The policy must deny everybody everything in the bucket and on it."
  }

  assert {
    condition = alltrue([
      one(one(data.aws_iam_policy_document.this.statement).condition).test == "Bool",
      one(one(data.aws_iam_policy_document.this.statement).condition).variable == "aws:SecureTransport",
      one(one(data.aws_iam_policy_document.this.statement).condition).values == tolist(["false"]),
    ])
    error_message = "The policy must hold for what comes without TLS, and for nothing else."
  }

  assert {
    condition     = aws_s3_bucket_policy.this.policy == data.aws_iam_policy_document.this.json
    error_message = "The policy must be the bucket's."
  }
}

run "the_bucket_is_encrypted_and_versioned" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms"
    error_message = "What lies in the bucket must be encrypted."
  }

  assert {
    condition     = one(aws_s3_bucket_versioning.this.versioning_configuration).status == "Enabled"
    error_message = "Old versions must be kept."
  }
}

run "a_bucket_stays_with_what_lies_in_it" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  assert {
    condition     = aws_s3_bucket.this.force_destroy == false
    error_message = "A bucket that is not empty must stay, unless it is said that it need not."
  }
}

run "without_a_key_s3s_own_encrypts" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    kms_key_arn = null
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "Without a key, S3's own must encrypt."
  }
}

run "a_name_that_s3_refuses_is_refused_first" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    name = "Some_Bucket"
  }

  expect_failures = [var.name]
}
