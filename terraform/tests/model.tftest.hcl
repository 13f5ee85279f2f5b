# The SageMaker model of the approved version. Before the first approval, there is no model.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                 = "some-endpoint"
  model_package_arn    = "arn:aws:sagemaker:us-east-1:123456789012:model-package/some-group/7"
  bucket_arn           = "arn:aws:s3:::some-bucket"
  models_prefix        = "models"
  data_capture_prefix  = "data_capture"
  kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/some-key"
  permissions_boundary = null
}

run "without_an_approved_version_there_is_no_model" {
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

run "model_is_the_approved_version_with_its_number_in_the_environment" {
  module {
    source = "./modules/model"
  }

  assert {
    condition     = startswith(output.name, "some-endpoint-7-") && one(one(aws_sagemaker_model.this).primary_container).model_package_name == var.model_package_arn
    error_message = "The model must be the approved version."
  }

  assert {
    condition = one(one(aws_sagemaker_model.this).primary_container).environment == tomap({
      SAGEMAKER_PROGRAM          = "inference.py"
      SAGEMAKER_SUBMIT_DIRECTORY = "/opt/ml/model/code"
      MODEL_VERSION              = "v7"
      PIP_FIND_LINKS             = "/opt/ml/model/code/packages"
    })
    error_message = "The container must have MODEL_VERSION and the model package's variables, in case AWS replaces these variables."
  }
}

run "serverless_model_has_one_worker" {
  command = plan

  module {
    source = "./modules/model"
  }

  variables {
    serverless = true
  }

  assert {
    condition     = local.environment.SAGEMAKER_MODEL_SERVER_WORKERS == "1"
    error_message = "A serverless endpoint must load the model in one worker only."
  }
}

run "model_in_a_vpc_runs_in_network_isolation" {
  module {
    source = "./modules/model"
  }

  variables {
    network = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"], policy = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }

  assert {
    condition     = aws_sagemaker_model.this[0].enable_network_isolation && one(aws_sagemaker_model.this[0].vpc_config).subnets == toset(["subnet-1"])
    error_message = "A model in a VPC must be in its subnets and in network isolation."
  }
}

run "model_that_contains_its_packages_does_not_contact_a_package_index" {
  command = plan

  module {
    source = "./modules/model"
  }

  variables {
    bundle_packages = true
  }

  assert {
    condition     = local.environment.PIP_NO_INDEX == "1" && local.environment.PIP_FIND_LINKS == "/opt/ml/model/code/packages"
    error_message = "A model must install the packages in its archive, even if AWS replaces the model package's environment variables."
  }
}

run "invalid_variables_are_rejected" {
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

run "name_with_a_dash_at_the_end_is_rejected" {
  command = plan

  module {
    source = "./modules/model"
  }

  variables {
    name = "some-endpoint-"
  }

  expect_failures = [var.name]
}
