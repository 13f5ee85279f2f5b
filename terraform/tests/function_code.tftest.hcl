# A function whose code was replaced outside Terraform. This test has its own file, because overrides apply only to
# resources that a run creates.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix               = "scones-test"
  archive_directory    = "../build/lambdas"
  bucket_arn           = "arn:aws:s3:::some-bucket"
  batch_prefix         = "batch"
  image_prefixes       = ["train", "test"]
  endpoint_arn         = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/some-endpoint"
  endpoint_name        = "some-endpoint"
  classes              = ["bicycle", "motorcycle"]
  threshold            = 0.93
  log_retention_days   = 30
  kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/some-key"
  permissions_boundary = null
}

run "code_replaced_outside_terraform_is_reported" {
  module {
    source = "./modules/functions"
  }

  override_resource {
    target = aws_lambda_function.this
    values = {
      code_sha256   = "another hash"
      last_modified = "2026-01-31T12:00:00.000+0000"
    }
  }

  expect_failures = [aws_lambda_function.this]
}
