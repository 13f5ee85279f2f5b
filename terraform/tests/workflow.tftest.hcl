# The state machine that classifies one image: the order of its states, and the states after a failure.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix               = "scones-test"
  environment          = "test"
  bucket_name          = "some-bucket"
  incoming_prefix      = "incoming"
  review_prefix        = "review"
  vehicles_table       = "some-vehicles"
  drivers_table        = "some-drivers"
  classes              = ["bicycle", "motorcycle", "bus"]
  zones                = { bicycle = { zone = "near", radius_km = 3 }, motorcycle = { zone = "far", radius_km = 10 } }
  bucket_arn           = "arn:aws:s3:::some-bucket"
  vehicles_table_arn   = "arn:aws:dynamodb:us-east-1:123456789012:table/some-vehicles"
  drivers_table_arn    = "arn:aws:dynamodb:us-east-1:123456789012:table/some-drivers"
  photo_retention_days = 30
  function_arns = {
    serialize = "arn:aws:lambda:us-east-1:123456789012:function:serialize"
    classify  = "arn:aws:lambda:us-east-1:123456789012:function:classify"
    filter    = "arn:aws:lambda:us-east-1:123456789012:function:filter"
    summarize = "arn:aws:lambda:us-east-1:123456789012:function:summarize"
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
      jsondecode(module.definition.json).StartAt == "Input",
      jsondecode(module.definition.json).States.Input.Default == "Serialize",
      jsondecode(module.definition.json).States.Serialize.Next == "Classify",
      jsondecode(module.definition.json).States.Classify.Next == "Filter",
      jsondecode(module.definition.json).States.Filter.Next == "IsEvent",
      jsondecode(module.definition.json).States.IsEvent.Default == "Record",
      jsondecode(module.definition.json).States.Record.End,
    ])
    error_message = "The states must run in the order Serialize, Classify, Filter, Record for an input in the course's format (image_data, s3_bucket, s3_key)."
  }

  assert {
    condition = alltrue([
      for name in ["serialize", "classify", "filter"] :
      jsondecode(module.definition.json).States[title(name)].Parameters.FunctionName == var.function_arns[name]
    ])
    error_message = "Each state must invoke its own function."
  }

  assert {
    condition = alltrue([
      jsondecode(module.definition.json).States.Filter.ResultSelector["model_version.$"] == "$.Payload.body.model_version",
      jsondecode(module.definition.json).States.Record.Arguments.Item.model_version.S == "{% $states.input.model_version %}",
    ])
    error_message = "The output and the DynamoDB item must have the version of the model that made the prediction."
  }

  assert {
    condition = alltrue([
      for name in ["Serialize", "Classify", "Filter", "FindItem", "Record", "RecordVehicle", "RecordSuperseded"] :
      slice([
        for catch in reverse(jsondecode(module.definition.json).States[name].Catch) : [catch.ErrorEquals, catch.Next]
      ], 0, 2) == [[["States.ALL"], "CountFailure"], [["States.DataLimitExceeded"], "CountFailure"]]
    ])
    error_message = "Each state must catch every error that can be caught, and pass it to CountFailure without the image."
  }

  assert {
    condition = alltrue([
      for name in ["CountFailure", "ClaimReview", "WriteReview", "CopyImage", "NotifyFailure"] : alltrue([
        jsondecode(module.definition.json).States[name].Output == "{% $states.input %}",
        reverse(jsondecode(module.definition.json).States[name].Catch)[0] == {
          ErrorEquals = ["States.ALL"]
          Output      = "{% $states.input %}"
          Next        = jsondecode(module.definition.json).States[name].Next
        },
      ])
    ])
    error_message = "Each state after a failure must pass the original error to the next state, even if the state itself fails."
  }

  assert {
    condition = alltrue([
      jsondecode(module.definition.json).States.NotifyFailure.Resource == "arn:aws:states:::sns:publish",
      jsondecode(module.definition.json).States.NotifyFailure.Arguments.TopicArn == var.topic_arn,
      jsondecode(module.definition.json).States.NotifyFailure.Next == "Failed",
    ])
    error_message = "The last state before Failed must be the notification."
  }

  assert {
    condition = jsondecode(module.definition.json).States.Failed == {
      Type      = "Fail"
      ErrorPath = "$.Error"
      CausePath = "$.Cause"
    }
    error_message = "The execution must fail with the name and cause of the original error."
  }

  assert {
    condition = alltrue(flatten([
      for name in ["Serialize", "Classify", "Filter"] : [
        for retry in jsondecode(module.definition.json).States[name].Retry : [
          for error in retry.ErrorEquals : anytrue([
            startswith(error, "Lambda."),
            contains(["Runtime.ExitError", "Sandbox.Timedout", "States.Timeout"], error),
            name != "Filter" && error == "StorageUnavailableError",
            name == "Classify" && error == "EndpointUnavailableError",
          ])
        ]
      ]
    ]))
    error_message = "Only transient errors of Lambda and S3, killed functions and an unavailable endpoint may be retried."
  }

  assert {
    condition = [
      for retry in jsondecode(module.definition.json).States.Classify.Retry : retry.MaxAttempts
      if contains(retry.ErrorEquals, "EndpointUnavailableError")
    ] == [6]
    error_message = "Classify must be retried while the endpoint is unavailable."
  }

  assert {
    condition = alltrue([
      for name in ["Serialize", "Classify", "Filter"] :
      jsondecode(module.definition.json).States[name].Parameters.Payload == { "execution.$" = "$$.Execution.Id", "body.$" = "$" }
    ])
    error_message = "Each function must receive the execution's ARN for its log."
  }
}

run "role_is_restricted_to_the_workflows_functions_photographs_reviews_and_items" {
  command = plan

  module {
    source = "./modules/workflow"
  }

  assert {
    condition = one([
      for statement in data.aws_iam_policy_document.this.statement : statement.resources if contains(statement.actions, "lambda:InvokeFunction")
    ]) == toset(flatten([for name in ["serialize", "classify", "filter"] : [var.function_arns[name], "${var.function_arns[name]}:*"]]))
    error_message = "The state machine must not invoke functions that it does not use."
  }

  assert {
    condition = jsonencode({
      for statement in data.aws_iam_policy_document.this.statement : one(statement.actions) => sort(statement.resources)
      if length(statement.actions) == 1 && length(setintersection(statement.actions, ["s3:GetObjectVersion", "s3:PutObject", "dynamodb:GetItem", "dynamodb:PutItem"])) == 1
      }) == jsonencode({
      "s3:GetObjectVersion" = ["arn:aws:s3:::some-bucket/incoming/*"]
      "s3:PutObject"        = ["arn:aws:s3:::some-bucket/review/*"]
      "dynamodb:GetItem"    = [var.vehicles_table_arn]
      "dynamodb:PutItem"    = [var.drivers_table_arn, var.vehicles_table_arn]
    })
    error_message = "In S3 and DynamoDB, the state machine must only be able to copy drivers' photographs to the review prefix, and to read and write its items."
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
