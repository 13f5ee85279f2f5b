# The endpoint: none without a model, one for the approved version, and what it captures.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                 = "some-endpoint"
  model_package_arn    = "arn:aws:sagemaker:us-east-1:123456789012:model-package/some-group/7"
  bucket_arn           = "arn:aws:s3:::some-bucket"
  models_key           = "models"
  data_capture_key     = "data_capture"
  data_capture_uri     = "s3://some-bucket/data_capture"
  instance_type        = "ml.m5.xlarge"
  instance_count       = 1
  sampling_percentage  = 50
  partition            = "aws"
  kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/some-key"
  permissions_boundary = null
}

run "no_model_is_no_endpoint_in_the_module" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    model_package_arn = null
  }

  assert {
    condition = alltrue([
      length(aws_sagemaker_model.this) == 0,
      length(aws_sagemaker_endpoint_configuration.this) == 0,
      length(aws_sagemaker_endpoint.this) == 0,
    ])
    error_message = "Without a model there must be nothing that is billed."
  }
}

run "a_model_is_one_endpoint_that_captures_both_sides_as_json" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  assert {
    condition = alltrue([
      one(aws_sagemaker_model.this).name == "some-endpoint-7",
      one(one(aws_sagemaker_model.this).primary_container).model_package_name == var.model_package_arn,
      one(one(aws_sagemaker_endpoint_configuration.this).production_variants).model_name == "some-endpoint-7",
      one(aws_sagemaker_endpoint.this).name == "some-endpoint",
      one(aws_sagemaker_endpoint.this).endpoint_config_name == one(aws_sagemaker_endpoint_configuration.this).name,
    ])
    error_message = "The endpoint must serve the approved version."
  }

  assert {
    condition     = one(one(aws_sagemaker_endpoint_configuration.this).production_variants).variant_name == "v7"
    error_message = "Each answer must say which version gave it."
  }

  assert {
    condition = alltrue([
      one(one(aws_sagemaker_endpoint_configuration.this).data_capture_config).enable_capture,
      one(one(aws_sagemaker_endpoint_configuration.this).data_capture_config).initial_sampling_percentage == 50,
      one(one(aws_sagemaker_endpoint_configuration.this).data_capture_config).destination_s3_uri == "s3://some-bucket/data_capture",
    ])
    error_message = "The asked share must be captured, to the asked place."
  }

  assert {
    condition     = toset(one(one(aws_sagemaker_endpoint_configuration.this).data_capture_config).capture_options[*].capture_mode) == toset(["Input", "Output"])
    error_message = "Both the question and the answer must be captured."
  }

  assert {
    condition     = one(one(one(aws_sagemaker_endpoint_configuration.this).data_capture_config).capture_content_type_header).json_content_types == toset(["application/json"])
    error_message = "Answers must be captured as JSON, not as base64."
  }
}
