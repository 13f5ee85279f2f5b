# A state machine's role, logs and traces. tests/contract/test_policies.py compares the role's policy with the actions
# of the states.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                 = "scones-test-workflow"
  definition           = "{\"StartAt\":\"End\",\"States\":{\"End\":{\"Type\":\"Succeed\"}}}"
  policy               = "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"sns:Publish\",\"Resource\":\"arn:aws:sns:us-east-1:123456789012:some-topic\"}]}"
  log_retention_days   = 30
  kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/some-key"
  permissions_boundary = "arn:aws:iam::123456789012:policy/some-boundary"
}

run "only_step_functions_in_this_account_may_assume_the_role" {
  command = plan

  module {
    source = "./modules/state_machine"
  }

  assert {
    condition = jsonencode([
      for statement in data.aws_iam_policy_document.assume.statement : {
        actions    = statement.actions
        principals = flatten(statement.principals[*].identifiers)
        condition  = [for condition in statement.condition : [condition.test, condition.variable, condition.values]]
      }
      ]) == jsonencode([{
        actions    = ["sts:AssumeRole"]
        principals = ["states.amazonaws.com"]
        condition  = [["StringEquals", "aws:SourceAccount", ["123456789012"]]]
    }])
    error_message = "Only Step Functions may assume the role, and only for state machines of this account."
  }

  assert {
    condition     = aws_iam_role.this.name == var.name && aws_iam_role.this.permissions_boundary == var.permissions_boundary
    error_message = "The role must have the permissions boundary."
  }
}

run "role_has_the_given_permissions_and_permissions_for_logs_and_traces" {
  command = plan

  module {
    source = "./modules/state_machine"
  }

  assert {
    condition     = data.aws_iam_policy_document.this.source_policy_documents == tolist([var.policy])
    error_message = "The role must have the permissions of the given policy."
  }

  assert {
    condition = {
      for statement in data.aws_iam_policy_document.this.statement :
      statement.sid => one(toset([for action in statement.actions : split(":", action)[0]]))
      } == {
      DeliverLogs = "logs"
      Trace       = "xray"
    }
    error_message = "In addition to the given permissions, the role must be able to deliver logs and traces only."
  }
}

run "errors_are_logged_without_execution_data_and_executions_are_traced" {
  module {
    source = "./modules/state_machine"
  }

  assert {
    condition = jsonencode(one(aws_sfn_state_machine.this.logging_configuration)) == jsonencode({
      include_execution_data = false
      level                  = "ERROR"
      log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
    })
    error_message = "Execution data contains images and the keys of photographs, and must not be logged."
  }

  assert {
    condition = alltrue([
      aws_cloudwatch_log_group.this.name == "/aws/vendedlogs/states/scones-test-workflow",
      aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn,
      aws_cloudwatch_log_group.this.retention_in_days == var.log_retention_days,
    ])
    error_message = "The logs must be encrypted, and deleted after log_retention_days."
  }

  assert {
    condition     = one(aws_sfn_state_machine.this.tracing_configuration).enabled
    error_message = "Executions must be traced."
  }

  assert {
    condition     = aws_sfn_state_machine.this.definition == var.definition && output.arn == aws_sfn_state_machine.this.arn
    error_message = "The state machine must have the given definition."
  }
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/state_machine"
  }

  variables {
    name        = "some machine"
    kms_key_arn = "alias/scones-test"
  }

  expect_failures = [var.name, var.kms_key_arn]
}
