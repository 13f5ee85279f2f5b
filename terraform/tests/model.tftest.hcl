# The model: none before the first approved version, and each with a name of its own.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                 = "some-endpoint"
  model_package_arn    = "arn:aws:sagemaker:us-east-1:123456789012:model-package/some-group/7"
  bucket_arn           = "arn:aws:s3:::some-bucket"
  models_key           = "models"
  data_capture_key     = "data_capture"
  kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/some-key"
  permissions_boundary = null
}

run "no_version_is_no_model" {
  command = plan

  module {
    source = "./modules/model"
  }

  variables {
    model_package_arn = null
  }

  assert {
    condition     = length(aws_sagemaker_model.this) == 0 && output.name == null && output.version == null
    error_message = "Without an approved version there must be no model."
  }
}

run "a_version_is_a_model_that_says_which_it_is" {
  module {
    source = "./modules/model"
  }

  assert {
    condition     = startswith(output.name, "some-endpoint-7-") && one(one(aws_sagemaker_model.this).primary_container).model_package_name == var.model_package_arn
    error_message = "The model must be the approved version."
  }

  assert {
    condition     = one(one(aws_sagemaker_model.this).primary_container).environment.MODEL_VERSION == "v7"
    error_message = "Each answer must say which version gave it."
  }
}

run "in_a_vpc_the_container_is_cut_off_from_the_network" {
  module {
    source = "./modules/model"
  }

  variables {
    network = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"], policy = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }

  assert {
    condition     = aws_sagemaker_model.this[0].enable_network_isolation && one(aws_sagemaker_model.this[0].vpc_config).subnets == toset(["subnet-1"])
    error_message = "A model in a VPC must be isolated, and in its subnets."
  }
}

run "inputs_of_another_form_are_refused" {
  command = plan

  module {
    source = "./modules/model"
  }

  variables {
    name              = "Some_Endpoint"
    model_package_arn = "some-group/7"
    bucket_arn        = "some-bucket"
    kms_key_arn       = "alias/scones-test"
  }

  expect_failures = [var.name, var.model_package_arn, var.bucket_arn, var.kms_key_arn]
}
