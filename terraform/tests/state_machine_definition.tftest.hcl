# The timeouts of the state machine.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name              = "some-machine"
  table_name        = "some-table"
  topic_arn         = "arn:aws:sns:us-east-1:123456789012:some-topic"
  metrics_namespace = "scones-test"
  function_arns = {
    serialize = "arn:aws:lambda:us-east-1:123456789012:function:serialize"
    classify  = "arn:aws:lambda:us-east-1:123456789012:function:classify"
    filter    = "arn:aws:lambda:us-east-1:123456789012:function:filter"
  }
}

run "every_task_times_out" {
  command = plan

  module {
    source = "./modules/state_machine_definition"
  }

  assert {
    condition     = alltrue([for state in jsondecode(output.json).States : state.TimeoutSeconds > 30 if state.Type == "Task"])
    error_message = "Each task must have a timeout above that of the function it invokes."
  }

  assert {
    condition     = jsondecode(output.json).States.Classify.TimeoutSeconds > 90
    error_message = "Classify must have a timeout above that of its function, which waits for a slow model."
  }

  assert {
    condition = jsondecode(output.json).TimeoutSeconds > sum([
      for state in jsondecode(output.json).States :
      # all attempts, and the delays between them, which double from one second
      try(sum([for retry in state.Retry : retry.MaxAttempts * state.TimeoutSeconds + pow(2, retry.MaxAttempts)]), 0) + state.TimeoutSeconds
      if state.Type == "Task"
    ])
    error_message = "The execution must not time out while its states may still retry."
  }
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/state_machine_definition"
  }

  variables {
    name          = "some machine"
    function_arns = { serialize = "arn:aws:lambda:us-east-1:123456789012:function:serialize" }
  }

  expect_failures = [var.name, var.function_arns]
}
