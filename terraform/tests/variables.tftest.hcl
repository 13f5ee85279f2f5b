# What a variable must refuse, it refuses before anything is planned; a value that slips through is named.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment = "test"
}

run "values_below_the_least_are_refused" {
  command = plan

  variables {
    environment             = "d"
    threshold               = 0
    classes                 = ["bicycle"]
    minimum_accuracy            = -0.1
    log_retention_days      = 0
    capture_retention_days  = 0
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
    var.capture_percentage,
    var.endpoint_instance_count,
  ]
}

run "values_above_the_most_are_refused" {
  command = plan

  variables {
    environment        = "development"
    threshold          = 1
    classes            = [for number in range(101) : "class${number}"]
    minimum_accuracy       = 1
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

run "values_of_the_wrong_kind_are_refused" {
  command = plan

  variables {
    environment             = "Dev"
    threshold               = 93
    classes                 = ["bicycle", "motorcycle", "bicycle"]
    approval                = "never"
    log_retention_days      = 2
    endpoint_instance_count = 1.5
    endpoint_instance_type  = "m5.xlarge"
    training_instance_type  = "m5.xlarge"
    failure_email           = "nobody"
    key_users               = ["somebody"]
  }

  expect_failures = [
    var.environment,
    var.threshold,
    var.classes,
    var.approval,
    var.log_retention_days,
    var.endpoint_instance_count,
    var.endpoint_instance_type,
    var.training_instance_type,
    var.failure_email,
    var.key_users,
  ]
}

run "parts_of_a_whole_number_and_of_a_type_are_refused" {
  command = plan

  variables {
    capture_percentage     = 50.5
    capture_retention_days = 1.5
    provider_max_retries   = -1
    endpoint_instance_type = "ml."
    training_instance_type = "ml.m5"
  }

  expect_failures = [
    var.capture_percentage,
    var.capture_retention_days,
    var.provider_max_retries,
    var.endpoint_instance_type,
    var.training_instance_type,
  ]
}

run "an_environment_that_is_called_as_the_ground_is_refused" {
  command = plan

  variables {
    environment = "state"
  }

  expect_failures = [var.environment]
}

run "an_environment_that_begins_with_a_digit_is_refused" {
  command = plan

  variables {
    environment = "1dev"
  }

  expect_failures = [var.environment]
}

run "an_environment_with_a_dash_is_refused" {
  command = plan

  variables {
    environment = "dev-1"
  }

  expect_failures = [var.environment]
}

run "the_bounds_are_accepted" {
  command = plan

  variables {
    environment            = "a1"
    threshold              = 0.001
    minimum_accuracy           = 0
    approval               = "automatic"
    capture_percentage     = 0
    capture_retention_days = null
    log_retention_days     = 3653
    provider_max_retries   = 0
    endpoint_instance_type = "ml.g4dn.12xlarge"
    training_instance_type = "ml.p3.2xlarge"
  }
}

run "a_serverless_endpoint_is_refused_beside_data_capture_and_instances" {
  command = plan

  variables {
    serverless                  = { memory_size_in_mb = 1000, max_concurrency = 0 }
    endpoint_max_instance_count = 2
  }

  expect_failures = [var.serverless]
}

run "a_deployment_out_of_bounds_is_refused" {
  command = plan

  variables {
    deployment                   = { canary_percent = 51, wait_seconds = 3601, timeout_seconds = 599, alarm_period_seconds = 45 }
    endpoint_max_instance_count  = 1
    endpoint_concurrent_requests = 0
    latency_limit_ms             = 0
  }

  expect_failures = [
    var.deployment,
    var.endpoint_max_instance_count,
    var.endpoint_concurrent_requests,
    var.latency_limit_ms,
  ]
}

run "a_deployment_that_would_be_given_up_while_it_waits_is_refused" {
  command = plan

  variables {
    deployment = { wait_seconds = 700, termination_wait_seconds = 400, timeout_seconds = 1800 }
  }

  expect_failures = [var.deployment]
}

run "addresses_that_are_no_vpcs_are_refused" {
  command = plan

  variables {
    vpc_cidr = "10.0.0.0/30"
  }

  expect_failures = [var.vpc_cidr]
}

run "a_serverless_endpoint_in_a_vpc_is_refused" {
  command = plan

  variables {
    vpc_cidr           = "10.0.0.0/24"
    serverless         = { memory_size_in_mb = 2048, max_concurrency = 5 }
    capture_percentage = 0
  }

  expect_failures = [var.vpc_cidr]
}
