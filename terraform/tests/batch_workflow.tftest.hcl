# The state machine that classifies many images: permissions and notifications.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix         = "scones-test"
  region         = "us-east-1"
  bucket_name    = "some-bucket"
  image_prefixes = ["train", "test"]
  batch_prefix   = "batch"
  function_arns = {
    serialize      = "arn:aws:lambda:us-east-1:123456789012:function:serialize"
    classify_batch = "arn:aws:lambda:us-east-1:123456789012:function:classify_batch"
    summarize      = "arn:aws:lambda:us-east-1:123456789012:function:summarize"
  }
  undelivered_queue_arn = "arn:aws:sqs:us-east-1:123456789012:some-queue"
  topic_arn             = "arn:aws:sns:us-east-1:123456789012:some-topic"
  log_retention_days    = 30
  kms_key_arn           = "arn:aws:kms:us-east-1:123456789012:key/some-key"
  permissions_boundary  = null
}

run "role_may_run_batches_only" {
  command = plan

  module {
    source = "./modules/batch_workflow"
  }

  assert {
    condition = jsonencode({
      for statement in data.aws_iam_policy_document.this.statement : statement.sid => sort(statement.resources)
      if statement.sid != "UseKey"
      }) == jsonencode({
      InvokeFunctions = sort(flatten([for name in ["classify_batch", "summarize"] : [var.function_arns[name], "${var.function_arns[name]}:*"]]))
      StartBatches    = ["arn:aws:states:us-east-1:123456789012:stateMachine:scones-test-batch"]
      FollowBatches   = ["arn:aws:states:us-east-1:123456789012:execution:scones-test-batch/*", "arn:aws:states:us-east-1:123456789012:execution:scones-test-batch:*"]
      RedriveBatches  = ["arn:aws:states:us-east-1:123456789012:execution:scones-test-batch/*"]
      ReadManifests   = ["arn:aws:s3:::some-bucket/batch/manifests/*"]
      WriteResults    = ["arn:aws:s3:::some-bucket/batch/*/results/*"]
      ListImages      = ["arn:aws:s3:::some-bucket"]
    })
    error_message = "The role must be able to invoke its two functions, run its own child executions, list images, and read and write below batch/, and nothing else."
  }

  assert {
    condition = flatten([
      for statement in data.aws_iam_policy_document.this.statement : [for condition in statement.condition : condition.values]
      if statement.sid == "ListImages"
    ]) == ["train/*", "test/*"]
    error_message = "The role must be able to list only objects below image_prefixes."
  }

  assert {
    condition = alltrue([
      jsondecode(aws_cloudwatch_event_rule.unsuccessful.event_pattern).detail.status == ["FAILED", "TIMED_OUT", "ABORTED"],
      aws_cloudwatch_event_target.unsuccessful.arn == var.topic_arn,
      one(aws_cloudwatch_event_target.unsuccessful.dead_letter_config).arn == var.undelivered_queue_arn,
      aws_cloudwatch_metric_alarm.failures.alarm_actions == toset([var.topic_arn]),
    ])
    error_message = "Every unsuccessful execution must be reported."
  }
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/batch_workflow"
  }

  variables {
    prefix      = "Scones_Test"
    kms_key_arn = "alias/scones-test"
  }

  expect_failures = [var.prefix, var.kms_key_arn]
}
