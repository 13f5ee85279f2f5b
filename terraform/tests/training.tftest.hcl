# The container images for training and inference.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix               = "scones-test"
  instance_type        = "ml.m5.xlarge"
  bucket_arn           = "arn:aws:s3:::some-bucket"
  models_prefix        = "models"
  transform_prefix     = "transform"
  checkpoints_prefix   = "checkpoints"
  kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/some-key"
  permissions_boundary = null
}

run "cpu_instance_gets_the_cpu_image" {
  module {
    source = "./modules/training"
  }

  assert {
    condition     = keys(output.training_images) == keys(output.serving_images)
    error_message = "Each algorithm must have a training and an inference image."
  }

  assert {
    condition     = data.aws_sagemaker_prebuilt_ecr_image.training.image_tag == "2.10-cpu-py313"
    error_message = "An instance without a GPU must get the CPU image."
  }
}

run "gpu_instance_gets_the_gpu_image" {
  module {
    source = "./modules/training"
  }

  variables {
    instance_type = "ml.g5.12xlarge"
  }

  assert {
    condition     = data.aws_sagemaker_prebuilt_ecr_image.training.image_tag == "2.10-gpu-py313"
    error_message = "An instance with a GPU must get the GPU image."
  }

  assert {
    condition     = data.aws_sagemaker_prebuilt_ecr_image.serving.image_tag == "2.6-cpu-py312"
    error_message = "Inference must use the CPU image."
  }
}

run "p_instance_gets_the_gpu_image" {
  module {
    source = "./modules/training"
  }

  variables {
    instance_type = "ml.p4d.24xlarge"
  }

  assert {
    condition     = strcontains(data.aws_sagemaker_prebuilt_ecr_image.training.image_tag, "gpu")
    error_message = "P instances have GPUs and must get the GPU image."
  }
}

run "invalid_variables_are_rejected" {
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
