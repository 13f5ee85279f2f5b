# Invalid values of the root module's variables, and values at the limits. A run can test one invalid value per variable, so
# the invalid environment names are in different runs. Terraform skips a validation that refers to another invalid variable.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment = "test"
}

run "resource_names_with_the_longest_environment_name_fit_the_limits_of_aws" {
  command = plan

  variables {
    environment = "abcdefghij"
  }

  assert {
    condition = alltrue([
      length("scones-abcdefghij-access-123456789012") <= 63, # the longer of both buckets
      length("${output.endpoint_name}-hosting") <= 64,
      length("${output.endpoint_name}-999999999-01234567") <= 63,                 # the model
      length("${output.endpoint_name}-9999999-01234567890123456789012345") <= 63, # the endpoint configuration
      length("${output.training_job_prefix}-20260101000000") <= 63,               # a training job
      length("${output.transform_job_prefix}-20260101-000000-000000") <= 63,      # a batch transform job
      length("scones-abcdefghij-endpoint-expiry-failures") <= 64,                 # an SQS queue; names in EventBridge and Scheduler are shorter
    ])
    error_message = "Every name must be within AWS's limit: 63 characters in SageMaker and S3, 64 in IAM, EventBridge and Scheduler."
  }
}

run "values_below_the_minimum_are_rejected" {
  command = plan

  variables {
    environment             = "d"
    threshold               = 0
    classes                 = ["bicycle"]
    minimum_accuracy        = -0.1
    log_retention_days      = 0
    capture_retention_days  = 0
    photo_retention_days    = 0
    capture_percentage      = -1
    endpoint_instance_count = 0
  }

  expect_failures = [
    var.environment,
    var.threshold,
    var.classes,
    var.minimum_accuracy,
    var.log_retention_days,
    var.capture_retention_days,
    var.photo_retention_days,
    var.capture_percentage,
    var.endpoint_instance_count,
  ]
}

run "values_above_the_maximum_are_rejected" {
  command = plan

  variables {
    environment        = "development"
    threshold          = 1
    classes            = [for number in range(101) : "class${number}"]
    minimum_accuracy   = 1
    log_retention_days = 3654
    capture_percentage = 101
  }

  expect_failures = [
    var.environment,
    var.threshold,
    var.classes,
    var.minimum_accuracy,
    var.log_retention_days,
    var.capture_percentage,
  ]
}

run "values_of_the_wrong_kind_are_rejected" {
  command = plan

  variables {
    environment            = "Dev"
    region                 = "us_east"
    threshold              = 93
    classes                = ["bicycle", "motorcycle", "bicycle"]
    approval               = "never"
    log_retention_days     = 2
    endpoint_instance_type = "m5.xlarge"
    training_instance_type = "m5.xlarge"
    failure_email          = "nobody"
    key_users              = ["somebody"]
    vpc_cidr               = "10.0.0.0/30"
  }

  expect_failures = [
    var.environment,
    var.region,
    var.threshold,
    var.classes,
    var.approval,
    var.log_retention_days,
    var.endpoint_instance_type,
    var.training_instance_type,
    var.failure_email,
    var.key_users,
    var.vpc_cidr,
  ]
}

run "fractions_incomplete_instance_types_reserved_environment_and_role_session_are_rejected" {
  command = plan

  variables {
    environment             = "state"
    classes                 = ["bicycle,motorcycle", "bus"]
    capture_percentage      = 50.5
    capture_retention_days  = 1.5
    photo_retention_days    = 1.5
    endpoint_instance_count = 1.5
    provider_max_retries    = -1
    endpoint_instance_type  = "ml."
    training_instance_type  = "ml.p3.2xlarge"
    key_users               = ["arn:aws:sts::123456789012:assumed-role/engineer/session"]
  }

  expect_failures = [
    var.environment,
    var.classes,
    var.capture_percentage,
    var.capture_retention_days,
    var.photo_retention_days,
    var.endpoint_instance_count,
    var.provider_max_retries,
    var.endpoint_instance_type,
    var.training_instance_type,
    var.key_users,
  ]
}

run "values_at_the_limits_are_accepted" {
  command = plan

  variables {
    environment            = "a1"
    threshold              = 0.001
    minimum_accuracy       = 0
    approval               = "automatic"
    capture_percentage     = 0
    capture_retention_days = null
    photo_retention_days   = null
    log_retention_days     = 3653
    provider_max_retries   = 0
    endpoint_instance_type = "ml.g4dn.12xlarge"
    training_instance_type = "ml.p4d.24xlarge"
  }

  assert {
    condition     = var.capture_retention_days == null && var.photo_retention_days == null
    error_message = "Null must keep objects and items, and not select the default."
  }
}

run "serverless_endpoint_with_data_capture_and_scaling_is_rejected" {
  command = plan

  variables {
    environment                 = "1dev"
    serverless                  = { memory_size_in_mb = 1000, max_concurrency = 0 }
    endpoint_max_instance_count = 2
  }

  expect_failures = [var.environment, var.serverless]
}

run "deployment_beyond_the_limits_is_rejected" {
  command = plan

  variables {
    environment                  = "dev-1"
    deployment                   = { canary_percent = 51, wait_seconds = 3601, timeout_seconds = 599, alarm_period_seconds = 45 }
    endpoint_max_instance_count  = 1
    endpoint_concurrent_requests = 0
    latency_limit_ms             = 0
  }

  expect_failures = [
    var.environment,
    var.deployment,
    var.endpoint_max_instance_count,
    var.endpoint_concurrent_requests,
    var.latency_limit_ms,
  ]
}

run "deployment_that_takes_longer_than_the_provider_waits_and_too_long_class_names_are_rejected" {
  command = plan

  variables {
    deployment = { timeout_seconds = 3601 }
    classes    = [for number in range(100) : format("%025d", number)] # 2599 characters with the commas
  }

  expect_failures = [var.deployment, var.classes]
}

run "deployment_that_waits_past_its_timeout_and_serverless_vpc_are_rejected" {
  command = plan

  variables {
    deployment         = { wait_seconds = 700, termination_wait_seconds = 400, timeout_seconds = 1800 }
    vpc_cidr           = "10.0.0.0/24"
    serverless         = { memory_size_in_mb = 2048, max_concurrency = 5 }
    capture_percentage = 0
  }

  expect_failures = [var.deployment, var.vpc_cidr]
}
