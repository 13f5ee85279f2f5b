# What the state machine does when nothing answers.

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

run "no_answer_is_waited_for_for_ever" {
  command = plan

  module {
    source = "./modules/states"
  }

  assert {
    condition     = alltrue([for state in jsondecode(output.definition).States : state.TimeoutSeconds > 30 if state.Type == "Task"])
    error_message = "Each task must end, and not before the function that it asks."
  }

  assert {
    condition = jsondecode(output.definition).TimeoutSeconds > sum([
      for state in jsondecode(output.definition).States :
      # each try, and the pauses between tries that double from one second on
      try(sum([for retry in state.Retry : retry.MaxAttempts * state.TimeoutSeconds + pow(2, retry.MaxAttempts)]), 0) + state.TimeoutSeconds
      if state.Type == "Task"
    ])
    error_message = "The execution must not end while its states may still go on trying."
  }
}

run "inputs_of_another_form_are_refused" {
  command = plan

  module {
    source = "./modules/states"
  }

  variables {
    name          = "some machine"
    function_arns = { serialize = "arn:aws:lambda:us-east-1:123456789012:function:serialize" }
  }

  expect_failures = [var.name, var.function_arns]
}
