# The SNS topic: who may publish, and who receives its messages.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix      = "scones-test"
  email       = null
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/some-key"
}

run "topic_is_encrypted_and_accepts_alarms_and_budgets" {
  module {
    source = "./modules/notifications"
  }

  assert {
    condition     = aws_sns_topic.this.kms_master_key_id == var.kms_key_arn
    error_message = "Messages must be encrypted, because the cause of a failure may quote the input."
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.this.statement : tolist(statement.principals)[0].identifiers
    ])) == toset(["budgets.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com"])
    error_message = "Alarms, budgets and EventBridge must be able to publish to the topic."
  }

  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement : length(statement.condition) == 0 if contains(one(statement.principals).identifiers, "events.amazonaws.com")
    ])
    error_message = "The statement for EventBridge must have no condition, because EventBridge could not publish with one."
  }

  assert {
    condition = alltrue([
      aws_sqs_queue.undelivered.sqs_managed_sse_enabled,
      one(data.aws_iam_policy_document.undelivered.statement).actions == toset(["sqs:SendMessage"]),
      one(data.aws_iam_policy_document.undelivered.statement).resources == toset(["arn:aws:sqs:us-east-1:123456789012:scones-test-undelivered"]),
      one(one(data.aws_iam_policy_document.undelivered.statement).principals).identifiers == toset(["events.amazonaws.com"]),
      one(one(data.aws_iam_policy_document.undelivered.statement).condition).values == tolist(["arn:aws:events:us-east-1:123456789012:rule/scones-test-*"]),
    ])
    error_message = "Only this environment's rules may send undelivered events to the queue, which must be encrypted."
  }

  assert {
    condition     = length(aws_sns_topic_subscription.this) == 0
    error_message = "Without an e-mail address there must be no subscription."
  }
}

run "email_address_is_subscribed" {
  command = plan

  module {
    source = "./modules/notifications"
  }

  variables {
    email = "somebody@example.org"
  }

  assert {
    condition     = aws_sns_topic_subscription.this[0].protocol == "email" && aws_sns_topic_subscription.this[0].endpoint == "somebody@example.org"
    error_message = "The e-mail address must be subscribed."
  }
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/notifications"
  }

  variables {
    prefix      = "Scones_Test"
    email       = "nobody"
    kms_key_arn = "alias/scones-test"
  }

  expect_failures = [var.prefix, var.email, var.kms_key_arn]
}
