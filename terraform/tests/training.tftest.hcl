# What training needs to be there.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix               = "scones-test"
  bucket_arn           = "arn:aws:s3:::some-bucket"
  models_key           = "models"
  transform_key        = "transform"
  checkpoints_key      = "checkpoints"
  kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/some-key"
  permissions_boundary = null
}

run "each_algorithm_has_its_images" {
  module {
    source = "./modules/training"
  }

  assert {
    condition     = keys(output.training_images) == keys(output.serving_images)
    error_message = "What is trained must be served."
  }
}

run "inputs_of_another_form_are_refused" {
  command = plan

  module {
    source = "./modules/training"
  }

  variables {
    prefix      = "Scones_Test"
    kms_key_arn = "alias/scones-test"
    bucket_arn  = "some-bucket"
  }

  expect_failures = [var.prefix, var.kms_key_arn, var.bucket_arn]
}
