# The key: rotated, and used through the services that keep data, by nobody from elsewhere.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix                  = "scones-test"
  deletion_window_in_days = 7
}

run "the_key_is_rotated_and_has_a_name" {
  command = plan

  module {
    source = "./modules/keys"
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_alias.this.name == "alias/scones-test"
    error_message = "The key must be rotated, and found by its name."
  }
}

run "whoever_may_use_it_is_of_this_account_or_a_service_that_works_for_it" {
  module {
    source = "./modules/keys"
  }

  assert {
    condition = alltrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [
        for principal in statement.principals : principal.type == "AWS"
        ? principal.identifiers == toset(["arn:aws:iam::123456789012:root"])
        : length(statement.condition) > 0
      ]
    ]))
    error_message = "A service may use the key for this account alone."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement : length(statement.condition) > 0
      if anytrue([for action in statement.actions : contains(["kms:Decrypt", "kms:CreateGrant"], action)])
    ])
    error_message = "Nobody reads with it but through the service that keeps the data."
  }
}

run "where_users_are_named_nobody_else_reads_or_lends" {
  module {
    source = "./modules/keys"
  }

  variables {
    users = ["arn:aws:iam::123456789012:role/scones-test-*"]
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement : anytrue([
        for condition in statement.condition : condition.test == "ArnLike" && condition.variable == "aws:PrincipalArn" && toset(condition.values) == toset(var.users)
      ])
      if contains(["UseThroughTheDatasServices", "LendToServicesThatKeepData"], statement.sid)
    ])
    error_message = "The key must be used by those who are named alone."
  }
}

run "a_window_that_kms_refuses_is_refused_first" {
  command = plan

  module {
    source = "./modules/keys"
  }

  variables {
    deletion_window_in_days = 3
  }

  expect_failures = [var.deletion_window_in_days]
}

run "inputs_of_another_form_are_refused" {
  command = plan

  module {
    source = "./modules/keys"
  }

  variables {
    prefix = "Scones_Test"
    users  = ["arn:aws:iam::*:role/*"]
  }

  expect_failures = [var.prefix, var.users]
}
