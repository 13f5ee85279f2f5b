# What training needs to be there.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix               = "scones-test"
  instance_type        = "ml.m5.xlarge"
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

  assert {
    condition     = data.aws_sagemaker_prebuilt_ecr_image.training.image_tag == "2.6-cpu-py312"
    error_message = "An instance without a GPU must get the image for processors."
  }
}

run "a_gpu_has_the_image_for_it" {
  module {
    source = "./modules/training"
  }

  variables {
    instance_type = "ml.g5.12xlarge"
  }

  assert {
    condition     = data.aws_sagemaker_prebuilt_ecr_image.training.image_tag == "2.6-gpu-py312"
    error_message = "An instance with a GPU must get the image for it."
  }

  assert {
    condition     = data.aws_sagemaker_prebuilt_ecr_image.serving.image_tag == "2.6-cpu-py312"
    error_message = "The model answers on processors."
  }
}

run "every_family_with_a_gpu_is_known" {
  module {
    source = "./modules/training"
  }

  variables {
    instance_type = "ml.p4d.24xlarge"
  }

  assert {
    condition     = strcontains(data.aws_sagemaker_prebuilt_ecr_image.training.image_tag, "gpu")
    error_message = "P instances have GPUs."
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
