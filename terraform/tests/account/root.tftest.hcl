# The root module in an empty account, on AWS or the emulator. The test destroys all resources that it creates. Run it
# with: terraform test -test-directory=tests/account -var-file=environments/local.tfvars

run "apply_in_an_empty_account_creates_everything_except_an_endpoint" {
  assert {
    condition     = output.endpoint_config_name == null
    error_message = "Without an approved model there must be no endpoint."
  }

  assert {
    condition     = strcontains(output.state_machine_arn, ":stateMachine:scones-${var.environment}-")
    error_message = "The state machine's name must contain the environment."
  }
}

# If the plan creates or replaces a resource, the resource's name is unknown, and the condition fails
run "second_plan_keeps_all_resources" {
  command = plan

  assert {
    condition = alltrue([
      output.bucket == run.apply_in_an_empty_account_creates_everything_except_an_endpoint.bucket,
      output.kms_key_arn == run.apply_in_an_empty_account_creates_everything_except_an_endpoint.kms_key_arn,
      output.training_role_arn == run.apply_in_an_empty_account_creates_everything_except_an_endpoint.training_role_arn,
      output.state_machine_arn == run.apply_in_an_empty_account_creates_everything_except_an_endpoint.state_machine_arn,
      output.vehicles_table == run.apply_in_an_empty_account_creates_everything_except_an_endpoint.vehicles_table,
      output.failures_topic_arn == run.apply_in_an_empty_account_creates_everything_except_an_endpoint.failures_topic_arn,
    ])
    error_message = "A second plan must keep the resources of the first apply."
  }
}

run "threshold_is_updated_in_place" {
  variables {
    threshold = 0.95
  }

  assert {
    condition     = output.threshold == 0.95
    error_message = "The output must have the new threshold."
  }

  assert {
    condition     = output.state_machine_arn == run.apply_in_an_empty_account_creates_everything_except_an_endpoint.state_machine_arn
    error_message = "The state machine must be updated, not replaced."
  }
}
