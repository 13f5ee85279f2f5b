# Endpoint scaling by concurrent requests.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  endpoint_name       = "some-endpoint"
  variant_name        = "AllTraffic"
  instance_type       = "ml.m5.xlarge"
  instance_count      = 2
  max_instance_count  = 4
  concurrent_requests = 5
}

run "endpoint_scales_with_concurrent_requests" {
  module {
    source = "./modules/scaling"
  }

  assert {
    condition = alltrue([
      one(aws_appautoscaling_target.this).resource_id == "endpoint/some-endpoint/variant/AllTraffic",
      one(aws_appautoscaling_target.this).min_capacity == 2,
      one(aws_appautoscaling_target.this).max_capacity == 4,
      one(one(aws_appautoscaling_policy.this).target_tracking_scaling_policy_configuration).target_value == 5,
    ])
    error_message = "The number of instances must follow the concurrent requests, between minimum and maximum."
  }
}

run "without_a_maximum_there_is_no_scaling" {
  command = plan

  module {
    source = "./modules/scaling"
  }

  variables {
    max_instance_count = null
  }

  assert {
    condition     = length(aws_appautoscaling_target.this) == 0 && output.resource_id == null
    error_message = "Without max_instance_count there must be no scaling."
  }
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/scaling"
  }

  variables {
    instance_count      = 0.5
    concurrent_requests = 0
  }

  expect_failures = [var.instance_count, var.concurrent_requests]
}

run "maximum_that_equals_the_minimum_is_rejected" {
  command = plan

  module {
    source = "./modules/scaling"
  }

  variables {
    instance_count     = 2
    max_instance_count = 2
  }

  expect_failures = [var.max_instance_count]
}
