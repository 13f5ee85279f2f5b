# The state machine: the order of its states, and how failures end.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix     = "scones-test"
  table_name = "some-table"
  table_arn  = "arn:aws:dynamodb:us-east-1:123456789012:table/some-table"
  function_arns = {
    serialize = "arn:aws:lambda:us-east-1:123456789012:function:serialize"
    classify  = "arn:aws:lambda:us-east-1:123456789012:function:classify"
    filter    = "arn:aws:lambda:us-east-1:123456789012:function:filter"
  }
  topic_arn            = "arn:aws:sns:us-east-1:123456789012:some-topic"
  metrics_namespace    = "scones-test"
  log_retention_days   = 30
  kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/some-key"
  permissions_boundary = null
}

run "states_run_in_order_and_every_failure_fails_the_execution" {
  module {
    source = "./modules/workflow"
  }

  assert {
    condition = alltrue([
      jsondecode(aws_sfn_state_machine.this.definition).StartAt == "Serialize",
      jsondecode(aws_sfn_state_machine.this.definition).States.Serialize.Next == "Classify",
      jsondecode(aws_sfn_state_machine.this.definition).States.Classify.Next == "Filter",
      jsondecode(aws_sfn_state_machine.this.definition).States.Filter.Next == "Record",
      jsondecode(aws_sfn_state_machine.this.definition).States.Record.End,
    ])
    error_message = "The states must run in the order Serialize, Classify, Filter, Record."
  }

  assert {
    condition = alltrue([
      for name in ["serialize", "classify", "filter"] :
      jsondecode(aws_sfn_state_machine.this.definition).States[title(name)].Parameters.FunctionName == var.function_arns[name]
    ])
    error_message = "Each state must invoke its own function."
  }

  assert {
    condition = alltrue([
      jsondecode(aws_sfn_state_machine.this.definition).States.Filter.ResultSelector["model_version.$"] == "$.Payload.body.model_version",
      jsondecode(aws_sfn_state_machine.this.definition).States.Record.Parameters.Item.model_version["S.$"] == "$.model_version",
    ])
    error_message = "The output and the table must have the version of the model that made the prediction."
  }

  assert {
    condition = alltrue([
      for name in ["Serialize", "Classify", "Filter", "Record"] :
      jsondecode(aws_sfn_state_machine.this.definition).States[name].Catch == [
        { ErrorEquals = ["States.DataLimitExceeded"], Next = "CountFailure" },
        { ErrorEquals = ["States.ALL"], Next = "CountFailure" },
      ]
    ])
    error_message = "Each state must pass every error that can be caught, without the image, to CountFailure."
  }

  assert {
    condition = alltrue([
      jsondecode(aws_sfn_state_machine.this.definition).States.CountFailure.Resource == "arn:aws:states:::aws-sdk:cloudwatch:putMetricData",
      jsondecode(aws_sfn_state_machine.this.definition).States.CountFailure.ResultPath == null,
      jsondecode(aws_sfn_state_machine.this.definition).States.CountFailure.Next == "NotifyFailure",
      one(jsondecode(aws_sfn_state_machine.this.definition).States.CountFailure.Catch).Next == "NotifyFailure",
      one(jsondecode(aws_sfn_state_machine.this.definition).States.CountFailure.Catch).ResultPath == "$.ignored",
    ])
    error_message = "CountFailure must lead to NotifyFailure, even if it fails itself, and keep the original error."
  }

  assert {
    condition = alltrue([
      jsondecode(aws_sfn_state_machine.this.definition).States.NotifyFailure.Resource == "arn:aws:states:::sns:publish",
      jsondecode(aws_sfn_state_machine.this.definition).States.NotifyFailure.Parameters.TopicArn == var.topic_arn,
      jsondecode(aws_sfn_state_machine.this.definition).States.NotifyFailure.ResultPath == null,
      jsondecode(aws_sfn_state_machine.this.definition).States.NotifyFailure.Next == "Failed",
      one(jsondecode(aws_sfn_state_machine.this.definition).States.NotifyFailure.Catch).ErrorEquals == ["States.ALL"],
      one(jsondecode(aws_sfn_state_machine.this.definition).States.NotifyFailure.Catch).Next == "Failed",
    ])
    error_message = "NotifyFailure must lead to Failed, even if it fails itself, and keep the original error."
  }

  assert {
    condition = jsondecode(aws_sfn_state_machine.this.definition).States.Failed == {
      Type      = "Fail"
      ErrorPath = "$.Error"
      CausePath = "$.Cause"
    }
    error_message = "The execution must fail with the name and cause of the original error."
  }

  assert {
    condition = alltrue(flatten([
      for name in ["Serialize", "Classify", "Filter"] : [
        for retry in jsondecode(aws_sfn_state_machine.this.definition).States[name].Retry : [
          for error in retry.ErrorEquals : startswith(error, "Lambda.") || (name == "Classify" && error == "EndpointUnavailableError")
        ]
      ]
    ]))
    error_message = "Only transient errors of Lambda and an unavailable endpoint may be retried."
  }

  assert {
    condition = [
      for retry in jsondecode(aws_sfn_state_machine.this.definition).States.Classify.Retry : retry.MaxAttempts
      if contains(retry.ErrorEquals, "EndpointUnavailableError")
    ] == [6]
    error_message = "Classify must be retried while the endpoint is unavailable."
  }

  assert {
    condition     = one(aws_sfn_state_machine.this.logging_configuration).include_execution_data == false
    error_message = "Execution data contains images and must not be logged."
  }

  assert {
    condition = alltrue([
      for name in ["Serialize", "Classify", "Filter"] :
      jsondecode(aws_sfn_state_machine.this.definition).States[name].Parameters.Payload == { "execution.$" = "$$.Execution.Id", "body.$" = "$" }
    ])
    error_message = "Each function must receive the execution's ARN for its log."
  }
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/workflow"
  }

  variables {
    prefix      = "Scones_Test"
    kms_key_arn = "alias/scones-test"
  }

  expect_failures = [var.prefix, var.kms_key_arn]
}
