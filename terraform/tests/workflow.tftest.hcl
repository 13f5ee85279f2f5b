# The state machine: no failure is caught away.

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

run "the_functions_follow_each_other_and_the_vehicle_is_recorded" {
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
    error_message = "The order is serialize, classify, filter, record."
  }

  assert {
    condition = alltrue([
      for name in ["serialize", "classify", "filter"] :
      jsondecode(aws_sfn_state_machine.this.definition).States[title(name)].Parameters.FunctionName == var.function_arns[name]
    ])
    error_message = "Each state must invoke the function of its name."
  }

  assert {
    condition = alltrue([
      jsondecode(aws_sfn_state_machine.this.definition).States.Filter.ResultSelector["model_version.$"] == "$.Payload.body.model_version",
      jsondecode(aws_sfn_state_machine.this.definition).States.Record.Parameters.Item.model_version["S.$"] == "$.model_version",
    ])
    error_message = "The output and the table must say which model answered."
  }
}

run "every_failure_is_told_and_fails_the_execution_under_its_own_name" {
  module {
    source = "./modules/workflow"
  }

  assert {
    condition = alltrue([
      for name in ["Serialize", "Classify", "Filter", "Record"] :
      jsondecode(aws_sfn_state_machine.this.definition).States[name].Catch == [
        { ErrorEquals = ["States.ALL"], Next = "Count" }
      ]
    ])
    error_message = "Each state that works must hand every failure, and no image, to Count."
  }

  assert {
    condition = alltrue([
      jsondecode(aws_sfn_state_machine.this.definition).States.Count.Resource == "arn:aws:states:::aws-sdk:cloudwatch:putMetricData",
      jsondecode(aws_sfn_state_machine.this.definition).States.Count.ResultPath == null,
      jsondecode(aws_sfn_state_machine.this.definition).States.Count.Next == "Notify",
      one(jsondecode(aws_sfn_state_machine.this.definition).States.Count.Catch).Next == "Notify",
      one(jsondecode(aws_sfn_state_machine.this.definition).States.Count.Catch).ResultPath == "$.hidden",
    ])
    error_message = "Count must end in Notify, counted or not, and keep the failure as it was."
  }

  assert {
    condition = alltrue([
      jsondecode(aws_sfn_state_machine.this.definition).States.Notify.Resource == "arn:aws:states:::sns:publish",
      jsondecode(aws_sfn_state_machine.this.definition).States.Notify.Parameters.TopicArn == var.topic_arn,
      jsondecode(aws_sfn_state_machine.this.definition).States.Notify.ResultPath == null,
      jsondecode(aws_sfn_state_machine.this.definition).States.Notify.Next == "Failed",
      one(jsondecode(aws_sfn_state_machine.this.definition).States.Notify.Catch).ErrorEquals == ["States.ALL"],
      one(jsondecode(aws_sfn_state_machine.this.definition).States.Notify.Catch).Next == "Failed",
    ])
    error_message = "Notify must end in Failed, told or not, and keep the failure as it was."
  }

  assert {
    condition = jsondecode(aws_sfn_state_machine.this.definition).States.Failed == {
      Type      = "Fail"
      ErrorPath = "$.Error"
      CausePath = "$.Cause"
    }
    error_message = "The execution must fail with the failure's own name and cause."
  }
}

run "what_another_try_cannot_mend_is_not_tried_again" {
  module {
    source = "./modules/workflow"
  }

  assert {
    condition = alltrue(flatten([
      for name in ["Serialize", "Classify", "Filter"] : [
        for retry in jsondecode(aws_sfn_state_machine.this.definition).States[name].Retry : [
          for error in retry.ErrorEquals : startswith(error, "Lambda.") || (name == "Classify" && error == "ModelFailedError")
        ]
      ]
    ]))
    error_message = "Only what Lambda may recover from, and a model that failed where another may answer, is tried again."
  }
}

run "no_image_reaches_the_log" {
  command = plan

  module {
    source = "./modules/workflow"
  }

  assert {
    condition     = one(aws_sfn_state_machine.this.logging_configuration).include_execution_data == false
    error_message = "An execution's data hold the image."
  }
}

run "the_functions_are_told_which_execution_asks" {
  module {
    source = "./modules/workflow"
  }

  assert {
    condition = alltrue([
      for name in ["Serialize", "Classify", "Filter"] :
      jsondecode(aws_sfn_state_machine.this.definition).States[name].Parameters.Payload == { "execution.$" = "$$.Execution.Id", "body.$" = "$" }
    ])
    error_message = "A function's log must name the execution."
  }
}

run "inputs_of_another_form_are_refused" {
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
