# Uploaded photographs start executions of the state machine.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix                = "scones-test"
  bucket_name           = "some-bucket"
  incoming_prefix       = "incoming"
  state_machine_arn     = "arn:aws:states:us-east-1:123456789012:stateMachine:some-machine"
  dead_letter_queue_arn = "arn:aws:sqs:us-east-1:123456789012:some-queue"
  permissions_boundary  = null
}

run "photographs_start_executions" {
  module {
    source = "./modules/incoming"
  }

  assert {
    condition     = aws_s3_bucket_notification.this.eventbridge && aws_s3_bucket_notification.this.bucket == var.bucket_name
    error_message = "The bucket must send its events to EventBridge."
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.this.event_pattern) == {
      source      = ["aws.s3"]
      detail-type = ["Object Created"]
      detail      = { bucket = { name = ["some-bucket"] }, object = { key = [{ prefix = "incoming/" }] } }
    }
    error_message = "Only new objects below the prefix may start executions."
  }

  assert {
    condition = alltrue([
      aws_cloudwatch_event_target.this.arn == var.state_machine_arn,
      aws_cloudwatch_event_target.this.role_arn == aws_iam_role.this.arn,
      length(aws_cloudwatch_event_target.this.input_transformer) == 0,
      one(aws_cloudwatch_event_target.this.dead_letter_config).arn == var.dead_letter_queue_arn,
      one(aws_cloudwatch_event_target.this.retry_policy).maximum_event_age_in_seconds == 86400,
    ])
    error_message = "The state machine must receive the event unchanged. The queue must receive events that EventBridge could not deliver within a day."
  }

  assert {
    condition = alltrue([
      one(data.aws_iam_policy_document.this.statement).actions == toset(["states:StartExecution"]),
      one(data.aws_iam_policy_document.this.statement).resources == toset([var.state_machine_arn]),
      one(one(data.aws_iam_policy_document.assume.statement).condition).values == tolist([aws_cloudwatch_event_rule.this.arn]),
    ])
    error_message = "Only this rule may assume the role, and only start executions of the state machine."
  }
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/incoming"
  }

  variables {
    prefix          = "Scones_Test"
    incoming_prefix = "incoming/"
  }

  expect_failures = [var.prefix, var.incoming_prefix]
}
