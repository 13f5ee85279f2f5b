# The KMS key: rotated, and usable only within the account and through the services that store data.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix                  = "scones-test"
  deletion_window_in_days = 7
}

run "key_is_rotated_and_restricted_to_the_account_and_its_services" {
  module {
    source = "./modules/kms_key"
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_alias.this.name == "alias/scones-test"
    error_message = "The key must be rotated and must have an alias."
  }

  assert {
    condition = alltrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [
        for principal in statement.principals : principal.type == "AWS"
        ? principal.identifiers == toset(["arn:aws:iam::123456789012:root"])
        : length(statement.condition) > 0
      ]
    ]))
    error_message = "Each principal must be in this account, or a service with a condition."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement : length(statement.condition) > 0
      if anytrue([for action in statement.actions : contains(["kms:Decrypt", "kms:CreateGrant"], action)])
    ])
    error_message = "Decryption and grants must be restricted to the services that store data."
  }
}

# IAM may evaluate the new key's tag only after some minutes: https://docs.aws.amazon.com/kms/latest/developerguide/tag-authorization.html
run "deployment_role_may_use_the_key_that_it_has_just_created" {
  module {
    source = "./modules/kms_key"
  }

  variables {
    administrators = ["arn:aws:iam::123456789012:role/scones-deploy-test"]
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement :
      one(statement.principals).identifiers == toset(["arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:role/scones-deploy-test"])
      if contains(["Administer", "UseThroughDataServices", "CreateGrantsForDataServices"], statement.sid)
    ])
    error_message = "The key's own policy must let its administrators administer and use it."
  }
}

run "named_users_restrict_use_and_grants" {
  module {
    source = "./modules/kms_key"
  }

  variables {
    users = [
      "arn:aws:iam::123456789012:role/scones-test-*",
      "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/us-east-2/AWSReservedSSO_engineer_0123456789abcdef",
      "arn:aws-us-gov:iam::123456789012:user/engineer",
      "arn:aws:sts::123456789012:federated-user/engineer",
    ]
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.this.statement : anytrue([
        for condition in statement.condition : condition.test == "ArnLike" && condition.variable == "aws:PrincipalArn" && toset(condition.values) == toset(var.users)
      ])
      if contains(["UseThroughDataServices", "CreateGrantsForDataServices"], statement.sid)
    ] == [true, true]
    error_message = "Only the named users may use the key and create grants."
  }
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/kms_key"
  }

  variables {
    prefix                  = "Scones_Test"
    users                   = ["arn:aws:iam::*:role/*"]
    deletion_window_in_days = 3
  }

  expect_failures = [var.prefix, var.users, var.deletion_window_in_days]
}

# For an assumed role, aws:PrincipalArn is the role's ARN:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
run "assumed_role_sessions_are_rejected_as_users" {
  command = plan

  module {
    source = "./modules/kms_key"
  }

  variables {
    users = ["arn:aws:sts::123456789012:assumed-role/engineer/session"]
  }

  expect_failures = [var.users]
}
