# The whole: what an operator applies, before and after the first approved model.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment = "test"
}

run "before_the_first_approved_model_there_is_no_endpoint" {
  assert {
    condition     = output.endpoint_config_name == null
    error_message = "Without a model there must be no endpoint."
  }

  assert {
    condition     = output.endpoint_name == "scones-test-vehicles"
    error_message = "The endpoint's name is known before it is there."
  }
}

run "with_an_approved_model_there_is_an_endpoint" {
  override_data {
    target = data.aws_ssm_parameters_by_path.approved
    values = {
      values = ["arn:aws:sagemaker:us-east-1:123456789012:model-package/scones-test-vehicles/7"]
    }
  }

  assert {
    condition     = output.endpoint_config_name != null
    error_message = "An approved model must be behind the endpoint."
  }
}

run "another_environment_is_refused_this_ones_state" {
  command = plan

  variables {
    environment = "other"
  }

  expect_failures = [terraform_data.environment]
}
