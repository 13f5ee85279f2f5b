# The endpoint of the approved model. Before the first approval, there is no endpoint.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name               = "some-endpoint"
  model_name         = "some-endpoint-7-0123abcd"
  model_version      = "7"
  data_capture_uri   = "s3://some-bucket/data_capture"
  instance_type      = "ml.m5.xlarge"
  instance_count     = 2
  serverless         = null
  latency_limit_ms   = 1000
  capture_percentage = 50
  expiry_schedule    = "some-schedule"
  topic_arn          = "arn:aws:sns:us-east-1:123456789012:some-topic"
  log_retention_days = 30
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/some-key"

  deployment = {
    canary_percent           = 10
    wait_seconds             = 300
    termination_wait_seconds = 120
    timeout_seconds          = 1800
    alarm_period_seconds     = 60
  }
}

run "without_a_model_there_is_no_endpoint" {
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
    error_message = "Without a model there must be no billed resource."
  }
}

run "deployment_keeps_the_instance_count_of_a_scaled_endpoint" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    max_instance_count  = 4
    live_instance_count = 3
  }

  assert {
    condition     = one(one(aws_sagemaker_endpoint_configuration.this).production_variants).initial_instance_count == 3
    error_message = "A deployment must start with the instances to which the endpoint has scaled."
  }
}

run "deployment_stays_within_the_limits_of_scaling" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    max_instance_count  = 4
    live_instance_count = 5
  }

  assert {
    condition     = one(one(aws_sagemaker_endpoint_configuration.this).production_variants).initial_instance_count == 4
    error_message = "A deployment must not start with more than max_instance_count instances."
  }
}

run "first_deployment_starts_with_the_minimum" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    max_instance_count = 4
  }

  assert {
    condition     = one(one(aws_sagemaker_endpoint_configuration.this).production_variants).initial_instance_count == 2
    error_message = "A deployment without live instances must start with instance_count."
  }
}

run "endpoint_that_does_not_scale_ignores_live_instance_count" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    live_instance_count = 4
  }

  assert {
    condition     = one(one(aws_sagemaker_endpoint_configuration.this).production_variants).initial_instance_count == 2
    error_message = "An endpoint that does not scale must have instance_count instances."
  }
}

run "endpoint_serves_the_model_with_data_capture_and_canary_deployments" {
  module {
    source = "./modules/endpoint"
  }

  assert {
    condition = alltrue([
      one(one(aws_sagemaker_endpoint_configuration.this).production_variants).model_name == var.model_name,
      one(aws_sagemaker_endpoint.this).name == "some-endpoint",
      one(aws_sagemaker_endpoint.this).endpoint_config_name == one(aws_sagemaker_endpoint_configuration.this).name,
    ])
    error_message = "The endpoint must serve the given model."
  }

  assert {
    condition = alltrue([
      one(one(aws_sagemaker_endpoint_configuration.this).data_capture_config).enable_capture,
      one(one(aws_sagemaker_endpoint_configuration.this).data_capture_config).initial_sampling_percentage == 50,
      one(one(aws_sagemaker_endpoint_configuration.this).data_capture_config).destination_s3_uri == "s3://some-bucket/data_capture/v7",
    ])
    error_message = "Data capture must record the given percentage to the given S3 URI."
  }

  assert {
    condition     = toset(one(one(aws_sagemaker_endpoint_configuration.this).data_capture_config).capture_options[*].capture_mode) == toset(["Input", "Output"])
    error_message = "Data capture must record requests and responses."
  }

  assert {
    condition     = one(one(one(aws_sagemaker_endpoint_configuration.this).data_capture_config).capture_content_type_header).json_content_types == toset(["application/json"])
    error_message = "Responses must be captured as JSON, not as base64."
  }

  assert {
    condition = alltrue([
      one(one(one(one(aws_sagemaker_endpoint.this).deployment_config).blue_green_update_policy).traffic_routing_configuration).type == "CANARY",
      one(one(one(one(one(aws_sagemaker_endpoint.this).deployment_config).blue_green_update_policy).traffic_routing_configuration).canary_size).type == "INSTANCE_COUNT",
      one(one(one(one(one(aws_sagemaker_endpoint.this).deployment_config).blue_green_update_policy).traffic_routing_configuration).canary_size).value == 1,
      one(one(one(one(aws_sagemaker_endpoint.this).deployment_config).blue_green_update_policy).traffic_routing_configuration).wait_interval_in_seconds == 300,
    ])
    error_message = "A canary of one instance, the minimum, must serve part of the traffic for 300 seconds."
  }

  assert {
    condition     = toset(one(one(aws_sagemaker_endpoint.this).deployment_config).auto_rollback_configuration[0].alarms[*].alarm_name) == toset(["some-endpoint-5xx", "some-endpoint-model-errors", "some-endpoint-latency"])
    error_message = "Server errors, model errors and latency must roll a deployment back."
  }

  assert {
    condition = alltrue([
      one(aws_cloudwatch_log_group.this).name == "/aws/sagemaker/Endpoints/some-endpoint",
      one(aws_cloudwatch_log_group.this).retention_in_days == 30,
      one(aws_cloudwatch_log_group.this).kms_key_id == var.kms_key_arn,
    ])
    error_message = "The log group that SageMaker writes to must be encrypted and must have a retention period."
  }
}

run "canary_size_is_canary_percent_of_the_instances_rounded_down" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    instance_count = 29
  }

  assert {
    condition     = one(one(one(one(one(aws_sagemaker_endpoint.this).deployment_config).blue_green_update_policy).traffic_routing_configuration).canary_size).value == 2
    error_message = "The canary must have at most canary_percent of the instances."
  }
}

run "canary_size_is_computed_from_the_instances_to_which_the_endpoint_has_scaled" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    instance_count      = 1 # replaces the endpoint configuration of the runs above
    max_instance_count  = 40
    live_instance_count = 30
  }

  assert {
    condition     = one(one(one(one(aws_sagemaker_endpoint.this).deployment_config).blue_green_update_policy).traffic_routing_configuration).type == "CANARY" && one(one(one(one(one(aws_sagemaker_endpoint.this).deployment_config).blue_green_update_policy).traffic_routing_configuration).canary_size).value == 3
    error_message = "The canary must have canary_percent of the instances that the deployment starts, not of the minimum."
  }
}

run "scaling_alone_starts_no_deployment" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    max_instance_count  = 40
    live_instance_count = 30
  }

  assert {
    condition     = one(one(aws_sagemaker_endpoint_configuration.this).production_variants).initial_instance_count == 2 && one(one(one(one(one(aws_sagemaker_endpoint.this).deployment_config).blue_green_update_policy).traffic_routing_configuration).canary_size).value == 1
    error_message = "Without a new endpoint configuration, the canary must keep its size, because a change would start a deployment."
  }
}

run "endpoint_with_a_single_instance_shifts_all_traffic_at_once" {
  module {
    source = "./modules/endpoint"
  }

  variables {
    instance_count = 1
  }

  assert {
    condition     = one(one(one(one(aws_sagemaker_endpoint.this).deployment_config).blue_green_update_policy).traffic_routing_configuration).type == "ALL_AT_ONCE" && length(one(one(one(one(aws_sagemaker_endpoint.this).deployment_config).blue_green_update_policy).traffic_routing_configuration).canary_size) == 0
    error_message = "A single instance allows no canary."
  }
}

run "serverless_endpoint_has_no_instances_data_capture_or_canary" {
  module {
    source = "./modules/endpoint"
  }

  variables {
    capture_percentage = 0
    serverless         = { memory_size_in_mb = 2048, max_concurrency = 5 }
  }

  assert {
    condition = alltrue([
      one(one(one(aws_sagemaker_endpoint_configuration.this).production_variants).serverless_config).memory_size_in_mb == 2048,
      one(one(aws_sagemaker_endpoint_configuration.this).production_variants).instance_type == null,
      length(one(aws_sagemaker_endpoint_configuration.this).data_capture_config) == 0,
      length(one(aws_sagemaker_endpoint.this).deployment_config) == 0,
      length(module.alarms) == 0,
    ])
    error_message = "A serverless endpoint must have no configuration that requires instances."
  }
}

run "g6e_instance_has_local_disk" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    instance_type = "ml.g6e.xlarge"
  }

  assert {
    condition     = one(aws_sagemaker_endpoint_configuration.this).kms_key_arn == null
    error_message = "SageMaker rejects a volume key for an instance type with local disks."
  }
}

run "trn2_instance_has_local_disk" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    instance_type = "ml.trn2.48xlarge"
  }

  assert {
    condition     = one(aws_sagemaker_endpoint_configuration.this).kms_key_arn == null
    error_message = "SageMaker rejects a volume key for an instance type with local disks."
  }
}

run "inf2_instance_has_no_local_disk" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    instance_type = "ml.inf2.xlarge"
  }

  assert {
    condition     = one(aws_sagemaker_endpoint_configuration.this).kms_key_arn == var.kms_key_arn
    error_message = "The volume of an instance type without local disks must be encrypted with the KMS key."
  }
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    name               = "Some_Endpoint"
    data_capture_uri   = "some-bucket/data_capture"
    instance_type      = "m5.xlarge"
    instance_count     = 0
    capture_percentage = 50.5
    kms_key_arn        = "alias/scones-test"
  }

  expect_failures = [var.name, var.data_capture_uri, var.instance_type, var.instance_count, var.capture_percentage, var.kms_key_arn]
}

run "name_with_a_dash_at_the_end_is_rejected" {
  command = plan

  module {
    source = "./modules/endpoint"
  }

  variables {
    name = "some-endpoint-"
  }

  expect_failures = [var.name]
}
