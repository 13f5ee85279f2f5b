# The timeouts and retries of the state machine, and the items that it writes. tests/contract/test_state_machine.py
# executes the state machine.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name              = "some-machine"
  environment       = "test"
  bucket_name       = "some-bucket"
  incoming_prefix   = "incoming"
  review_prefix     = "review"
  vehicles_table    = "some-vehicles"
  drivers_table     = "some-drivers"
  classes           = ["bicycle", "motorcycle", "bus"]
  zones             = { bicycle = { zone = "near", radius_km = 3 }, motorcycle = { zone = "far", radius_km = 10 } }
  retention_days    = 30
  topic_arn         = "arn:aws:sns:us-east-1:123456789012:some-topic"
  metrics_namespace = "scones-test"
  function_arns = {
    serialize = "arn:aws:lambda:us-east-1:123456789012:function:serialize"
    classify  = "arn:aws:lambda:us-east-1:123456789012:function:classify"
    filter    = "arn:aws:lambda:us-east-1:123456789012:function:filter"
  }
}

run "tasks_outlast_their_functions_and_the_execution_outlasts_all_retries" {
  command = plan

  module {
    source = "./modules/state_machine_definition"
  }

  assert {
    condition     = alltrue([for state in jsondecode(output.json).States : state.TimeoutSeconds > 30 if state.Type == "Task"])
    error_message = "Each task must have a longer timeout than the function that it invokes."
  }

  assert {
    condition     = jsondecode(output.json).States.Classify.TimeoutSeconds > 90
    error_message = "Classify must have a longer timeout than its function, which waits for a slow model."
  }

  assert {
    condition = jsondecode(output.json).TimeoutSeconds > sum([
      for state in jsondecode(output.json).States :
      # all attempts, and the delays between them, which double from one second up to a maximum
      try(sum(flatten([for retry in state.Retry : [
        for attempt in range(retry.MaxAttempts) : state.TimeoutSeconds + min(pow(2, attempt), try(retry.MaxDelaySeconds, 3600))
      ]])), 0) + state.TimeoutSeconds
      if state.Type == "Task"
    ])
    error_message = "The execution must not time out while its states may still retry."
  }
}

run "writes_are_retried_for_minutes_except_after_failed_conditions" {
  command = plan

  module {
    source = "./modules/state_machine_definition"
  }

  assert {
    condition = alltrue([
      for name in ["FindItem", "Record", "RecordVehicle", "RecordSuperseded", "ClaimReview", "WriteReview"] : alltrue([
        reverse(jsondecode(output.json).States[name].Retry)[0].ErrorEquals == ["States.ALL"],
        reverse(jsondecode(output.json).States[name].Retry)[0].JitterStrategy == "FULL",
        # with full jitter, the mean delay is half of the maximum delay
        sum([for attempt in range(reverse(jsondecode(output.json).States[name].Retry)[0].MaxAttempts) : min(pow(2, attempt), 60)]) / 2 > 180,
      ])
    ])
    error_message = "The states must retry for several minutes while DynamoDB or S3 fails."
  }

  assert {
    condition = {
      for name, state in jsondecode(output.json).States : name => flatten([for retry in state.Retry : retry.ErrorEquals if retry.MaxAttempts == 0])
      if contains(["RecordVehicle", "RecordSuperseded", "ClaimReview"], name)
      } == {
      RecordVehicle    = ["DynamoDb.TransactionCanceledException", "States.QueryEvaluationError"]
      RecordSuperseded = ["DynamoDB.ConditionalCheckFailedException", "States.QueryEvaluationError"]
      ClaimReview      = ["DynamoDB.ConditionalCheckFailedException", "States.QueryEvaluationError"]
    }
    error_message = "A state must not be retried after a failed condition or an expression that cannot be evaluated, because every attempt would fail."
  }

  assert {
    condition = alltrue([
      for name in ["Serialize", "Classify", "Filter"] :
      contains(flatten(jsondecode(output.json).States[name].Retry[*].ErrorEquals), "Runtime.ExitError")
    ])
    error_message = "A function that was killed must be invoked again."
  }

  assert {
    condition = alltrue([
      for name in ["Serialize", "Classify", "Filter"] : anytrue([
        for retry in jsondecode(output.json).States[name].Retry : alltrue([
          contains(retry.ErrorEquals, "Lambda.ResourceNotReadyException"),
          contains(retry.ErrorEquals, "Lambda.ResourceConflictException"),
          # with full jitter, the mean delay is half of the maximum delay
          sum([for attempt in range(retry.MaxAttempts) : min(pow(2, attempt), try(retry.MaxDelaySeconds, 3600))]) / 2 > 180,
        ])
      ])
    ])
    error_message = "A function that is inactive must be invoked again for much longer than the 90 seconds until it is active."
  }
}

run "executions_for_an_object_version_with_an_item_succeed_with_the_prediction_as_output" {
  command = plan

  module {
    source = "./modules/state_machine_definition"
  }

  assert {
    condition = {
      for name, state in jsondecode(output.json).States : name => [
        for rule in concat(try(state.Catch, []), try(state.Choices, [])) : try(rule.Output, "an error")
        if rule.Next == "AlreadyClassified"
      ]
      if contains(["Cancelled", "RecordSuperseded"], name)
    } == { for name in ["Cancelled", "RecordSuperseded"] : name => ["{% $states.input %}"] }
    error_message = "If the item exists, the execution must succeed with the state's input as its output, not with the error."
  }
}

run "items_expire_after_retention_days" {
  command = plan

  module {
    source = "./modules/state_machine_definition"
  }

  assert {
    condition = alltrue([
      for item in [
        jsondecode(output.json).States.Record.Arguments.Item,
        jsondecode(output.json).States.RecordVehicle.Arguments.TransactItems[0].Put.Item,
        jsondecode(output.json).States.RecordVehicle.Arguments.TransactItems[1].Put.Item,
        jsondecode(output.json).States.RecordSuperseded.Arguments.Item,
        jsondecode(output.json).States.ClaimReview.Arguments.Item,
      ] : strcontains(item.expires.N, "+ 2592000")
    ])
    error_message = "Each item must expire after retention_days."
  }

  assert {
    condition     = strcontains(jsondecode(output.json).States.Record.Arguments.Item.zone, "\"bus\":{\"radius_km\":{\"N\":\"0\"},\"zone\":{\"S\":\"unassigned\"}}")
    error_message = "A class without a zone must be unassigned."
  }
}

run "items_do_not_expire_if_retention_days_is_null" {
  command = plan

  module {
    source = "./modules/state_machine_definition"
  }

  variables {
    retention_days = null
  }

  assert {
    condition     = !strcontains(output.json, "expires")
    error_message = "Without retention_days items must not expire."
  }
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/state_machine_definition"
  }

  variables {
    name            = "some machine"
    incoming_prefix = "incoming/"
    review_prefix   = "re.view"
    function_arns   = { serialize = "arn:aws:lambda:us-east-1:123456789012:function:serialize" }
  }

  expect_failures = [var.name, var.function_arns, var.incoming_prefix, var.review_prefix]
}
