# The endpoint: none without a model, one for the approved version, and what it captures.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                = "some-endpoint"
  model_name          = "some-endpoint-7-0123abcd"
  model_version       = "7"
  data_capture_uri    = "s3://some-bucket/data_capture"
  instance_type       = "ml.m5.xlarge"
  instance_count      = 2
  serverless          = null
  latency_limit_ms    = 1000
  sampling_percentage = 50
  topic_arn           = "arn:aws:sns:us-east-1:123456789012:some-topic"
  log_retention_days  = 30
  kms_key_arn         = "arn:aws:kms:us-east-1:123456789012:key/some-key"

  deployment = {
    canary_percent           = 10
    wait_seconds             = 300
    termination_wait_seconds = 120
    timeout_seconds          = 1800
    alarm_period_seconds     = 60
  }
}

run "no_model_is_no_endpoint_in_the_module" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    model_name    = null
    model_version = null
  }

  assert {
    condition = alltrue([
      length(aws_sagemaker_endpoint_configuration.this) == 0,
      length(aws_sagemaker_endpoint.this) == 0,
      length(module.alarms) == 0,
      length(aws_cloudwatch_log_group.this) == 0,
    ])
    error_message = "Without a model there must be nothing that is billed."
  }
}

run "a_model_is_one_endpoint_that_captures_both_sides_as_json" {

  module {
    source = "./modules/endpoint"
  }

  assert {
    condition = alltrue([
      one(one(aws_sagemaker_endpoint_configuration.this).production_variants).model_name == var.model_name,
      one(aws_sagemaker_endpoint.this).name == "some-endpoint",
      one(aws_sagemaker_endpoint.this).endpoint_config_name == one(aws_sagemaker_endpoint_configuration.this).name,
    ])
    error_message = "The endpoint must serve the model that is given."
  }

  assert {
    condition = alltrue([
      one(one(aws_sagemaker_endpoint_configuration.this).data_capture_config).enable_capture,
      one(one(aws_sagemaker_endpoint_configuration.this).data_capture_config).initial_sampling_percentage == 50,
      one(one(aws_sagemaker_endpoint_configuration.this).data_capture_config).destination_s3_uri == "s3://some-bucket/data_capture/v7",
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

run "a_new_model_gets_a_part_of_the_traffic_first_and_alarms_bring_it_back" {
  module {
    source = "./modules/endpoint"
  }

  assert {
    condition = alltrue([
      one(one(one(one(aws_sagemaker_endpoint.this).deployment_config).blue_green_update_policy).traffic_routing_configuration).type == "CANARY",
      one(one(one(one(one(aws_sagemaker_endpoint.this).deployment_config).blue_green_update_policy).traffic_routing_configuration).canary_size).value == 10,
      one(one(one(one(aws_sagemaker_endpoint.this).deployment_config).blue_green_update_policy).traffic_routing_configuration).wait_interval_in_seconds == 300,
    ])
    error_message = "A tenth of the traffic must go first, for five minutes."
  }

  assert {
    condition     = toset(one(one(aws_sagemaker_endpoint.this).deployment_config).auto_rollback_configuration[0].alarms[*].alarm_name) == toset(["some-endpoint-5xx", "some-endpoint-model-errors", "some-endpoint-latency"])
    error_message = "Server errors, model errors and latency must roll a deployment back."
  }

}

run "one_instance_moves_all_at_once_and_is_watched" {
  module {
    source = "./modules/endpoint"
  }

  variables {
    instance_count = 1
  }

  assert {
    condition     = one(one(one(one(aws_sagemaker_endpoint.this).deployment_config).blue_green_update_policy).traffic_routing_configuration).type == "ALL_AT_ONCE" && length(one(one(one(one(aws_sagemaker_endpoint.this).deployment_config).blue_green_update_policy).traffic_routing_configuration).canary_size) == 0
    error_message = "One instance has no part that could go first."
  }
}

run "a_serverless_endpoint_has_neither_instances_nor_captures_nor_a_shift" {
  module {
    source = "./modules/endpoint"
  }

  variables {
    sampling_percentage = 0
    serverless          = { memory_size_in_mb = 2048, max_concurrency = 5 }
  }

  assert {
    condition = alltrue([
      one(one(one(aws_sagemaker_endpoint_configuration.this).production_variants).serverless_config).memory_size_in_mb == 2048,
      one(one(aws_sagemaker_endpoint_configuration.this).production_variants).instance_type == null,
      length(one(aws_sagemaker_endpoint_configuration.this).data_capture_config) == 0,
      length(one(aws_sagemaker_endpoint.this).deployment_config) == 0,
      length(module.alarms) == 0,
    ])
    error_message = "A serverless endpoint has none of what is for instances."
  }
}

run "what_the_containers_log_has_an_end_and_the_key" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  assert {
    condition = alltrue([
      one(aws_cloudwatch_log_group.this).name == "/aws/sagemaker/Endpoints/some-endpoint",
      one(aws_cloudwatch_log_group.this).retention_in_days == 30,
      one(aws_cloudwatch_log_group.this).kms_key_id == var.kms_key_arn,
    ])
    error_message = "The group that SageMaker would make itself must be there first, encrypted and with an end."
  }
}

run "a_disk_of_its_own_has_g6e_xlarge" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    instance_type = "ml.g6e.xlarge"
  }

  assert {
    condition     = one(aws_sagemaker_endpoint_configuration.this).kms_key_arn == null
    error_message = "A key is for volumes, and refused for disks of an instance's own."
  }
}

run "a_disk_of_its_own_has_trn2_48xlarge" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    instance_type = "ml.trn2.48xlarge"
  }

  assert {
    condition     = one(aws_sagemaker_endpoint_configuration.this).kms_key_arn == null
    error_message = "A key is for volumes, and refused for disks of an instance's own."
  }
}

run "no_disk_of_its_own_has_inf2_xlarge" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    instance_type = "ml.inf2.xlarge"
  }

  assert {
    condition     = one(aws_sagemaker_endpoint_configuration.this).kms_key_arn == var.kms_key_arn
    error_message = "A key is for volumes, and refused for disks of an instance's own."
  }
}

run "inputs_of_another_form_are_refused" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    name                = "Some_Endpoint"
    data_capture_uri    = "some-bucket/data_capture"
    instance_type       = "m5.xlarge"
    instance_count      = 0
    sampling_percentage = 50.5
    kms_key_arn         = "alias/scones-test"
  }

  expect_failures = [var.name, var.data_capture_uri, var.instance_type, var.instance_count, var.sampling_percentage, var.kms_key_arn]
}
