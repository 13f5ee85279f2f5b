# Who is told, and by whom.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix      = "scones-test"
  email       = null
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/some-key"
}

run "what_the_topic_is_told_is_encrypted" {
  module {
    source = "./modules/notices"
  }

  assert {
    condition     = aws_sns_topic.this.kms_master_key_id == var.kms_key_arn
    error_message = "A failure's cause may quote data, and must be encrypted."
  }
}

run "alarms_and_budgets_may_tell_the_topic" {
  module {
    source = "./modules/notices"
  }

  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.this.statement : tolist(statement.principals)[0].identifiers
    ])) == toset(["budgets.amazonaws.com", "cloudwatch.amazonaws.com"])
    error_message = "A topic that no alarm can reach is none."
  }
}

run "nobody_is_told_where_no_address_is_given" {
  command = plan

  module {
    source = "./modules/notices"
  }

  assert {
    condition     = length(aws_sns_topic_subscription.this) == 0
    error_message = "Without an address there must be no subscription."
  }
}

run "an_address_is_told" {
  command = plan

  module {
    source = "./modules/notices"
  }

  variables {
    email = "somebody@example.org"
  }

  assert {
    condition     = aws_sns_topic_subscription.this[0].protocol == "email" && aws_sns_topic_subscription.this[0].endpoint == "somebody@example.org"
    error_message = "The address must be subscribed."
  }
}

run "inputs_of_another_form_are_refused" {
  command = plan

  module {
    source = "./modules/notices"
  }

  variables {
    prefix      = "Scones_Test"
    email       = "nobody"
    kms_key_arn = "alias/scones-test"
  }

  expect_failures = [var.prefix, var.email, var.kms_key_arn]
}
