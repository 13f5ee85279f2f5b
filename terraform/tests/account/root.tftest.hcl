# The whole in an account that answers, the emulator's or one's own, which is empty again afterwards:
# terraform test -test-directory=tests/account -var-file=environments/local.tfvars

run "an_empty_account_gets_everything_but_an_endpoint" {
  assert {
    condition     = output.endpoint_config_name == null
    error_message = "Without a model there must be no endpoint."
  }

  assert {
    condition     = strcontains(output.state_machine_arn, ":stateMachine:scones-${var.environment}-")
    error_message = "The state machine must bear the environment's name."
  }
}

# What is to be made or replaced has no name that a plan knows, and a condition on it is an error
run "what_is_there_is_kept" {
  command = plan

  assert {
    condition = alltrue([
      output.bucket == run.an_empty_account_gets_everything_but_an_endpoint.bucket,
      output.kms_key_arn == run.an_empty_account_gets_everything_but_an_endpoint.kms_key_arn,
      output.training_role_arn == run.an_empty_account_gets_everything_but_an_endpoint.training_role_arn,
      output.state_machine_arn == run.an_empty_account_gets_everything_but_an_endpoint.state_machine_arn,
      output.vehicles_table == run.an_empty_account_gets_everything_but_an_endpoint.vehicles_table,
      output.failures_topic_arn == run.an_empty_account_gets_everything_but_an_endpoint.failures_topic_arn,
    ])
    error_message = "A second plan must find what the first apply made."
  }
}

run "another_threshold_is_taken_in_place" {
  variables {
    threshold = 0.95
  }

  assert {
    condition     = output.threshold == 0.95
    error_message = "The threshold must be the new one."
  }

  assert {
    condition     = output.state_machine_arn == run.an_empty_account_gets_everything_but_an_endpoint.state_machine_arn
    error_message = "The state machine must be changed, not replaced."
  }
}
