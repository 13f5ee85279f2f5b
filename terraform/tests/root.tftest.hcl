# The root module before and after the first approved model.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment = "test"
}

run "without_an_approved_model_there_is_no_endpoint" {
  assert {
    condition     = output.endpoint_config_name == null
    error_message = "Without an approved model there must be no endpoint."
  }

  assert {
    condition     = output.endpoint_name == "scones-test-vehicles"
    error_message = "The endpoint's name must be known before the endpoint exists."
  }

  assert {
    condition     = !output.bundle_packages
    error_message = "Containers that can reach a package index must install their packages from the index."
  }
}

run "approved_model_is_deployed" {
  override_data {
    target = data.aws_ssm_parameters_by_path.approved_model
    values = {
      names  = ["/scones/test/approved-model/model-package-arn"]
      values = ["arn:aws:sagemaker:us-east-1:123456789012:model-package/scones-test-vehicles/7"]
    }
  }

  assert {
    condition     = output.endpoint_config_name != null
    error_message = "An approved model must be deployed to the endpoint."
  }

  assert {
    condition     = output.drift_job == null
    error_message = "A model without a baseline must have no drift job."
  }
}

run "approved_model_with_a_baseline_has_a_drift_job" {
  command = plan

  override_data {
    target = data.aws_ssm_parameters_by_path.approved_model
    values = {
      names = ["/scones/test/approved-model/baseline", "/scones/test/approved-model/model-package-arn"]
      values = [
        "{\"model_package_arn\":\"arn:aws:sagemaker:us-east-1:123456789012:model-package/scones-test-vehicles/7\",\"model_data_url\":\"s3://some-bucket/models/job/output/model.tar.gz\"}",
        "arn:aws:sagemaker:us-east-1:123456789012:model-package/scones-test-vehicles/7",
      ]
    }
  }

  assert {
    condition     = local.baseline_model == { version = "v7", data_url = "s3://some-bucket/models/job/output/model.tar.gz" }
    error_message = "A drift job must get the archive of the approved model."
  }
}

run "baseline_of_another_model_is_not_used" {
  command = plan

  override_data {
    target = data.aws_ssm_parameters_by_path.approved_model
    values = {
      names = ["/scones/test/approved-model/baseline", "/scones/test/approved-model/model-package-arn"]
      values = [
        "{\"model_package_arn\":\"arn:aws:sagemaker:us-east-1:123456789012:model-package/scones-test-vehicles/6\",\"model_data_url\":\"s3://some-bucket/models/job/output/model.tar.gz\"}",
        "arn:aws:sagemaker:us-east-1:123456789012:model-package/scones-test-vehicles/7",
      ]
    }
  }

  assert {
    condition     = local.baseline_model == null && output.drift_job == null
    error_message = "A drift job must not use a baseline parameter that describes a model other than the approved one."
  }
}

run "models_contain_their_packages_if_containers_cannot_reach_a_package_index" {
  command = plan

  variables {
    vpc_cidr = "10.0.0.0/24"
  }

  assert {
    condition     = output.bundle_packages
    error_message = "Without internet access, models must contain their packages."
  }
}

run "another_environment_is_rejected_on_the_same_state" {
  command = plan

  variables {
    environment = "other"
  }

  expect_failures = [terraform_data.environment]
}

run "class_without_a_zone_causes_a_warning" {
  command = plan

  variables {
    classes = ["bicycle", "lawn_mower"]
  }

  expect_failures = [check.zones]
}

run "zone_with_an_unknown_name_or_a_zero_radius_is_rejected" {
  command = plan

  variables {
    zones = { bicycle = { zone = "nearby", radius_km = 3 }, motorcycle = { zone = "far", radius_km = 0 } }
  }

  expect_failures = [var.zones]
}
