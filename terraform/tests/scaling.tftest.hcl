# Scaling: with the requests at once, or not at all.

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

run "an_endpoint_scales_on_the_requests_it_has_at_once" {
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
    error_message = "Instances must follow the requests at once, from the fewest to the most."
  }
}

run "without_a_most_or_an_endpoint_nothing_scales" {
  command = plan

  module {
    source = "./modules/scaling"
  }

  variables {
    max_instance_count = null
  }

  assert {
    condition     = length(aws_appautoscaling_target.this) == 0 && output.resource_id == null
    error_message = "There must be no scaling that nobody asked for."
  }
}

run "inputs_of_another_form_are_refused" {
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

run "no_room_to_scale_is_refused" {
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
