# The role of SageMaker jobs and models: readable and writable objects, trust policy and boundary.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                 = "some-role"
  bucket_arn           = "arn:aws:s3:::some-bucket"
  readable_keys        = ["train/*"]
  writable_prefixes    = ["models", "transform"]
  kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/some-key"
  log_groups           = ["TrainingJobs"]
  repositories         = ["pytorch-training"]
  permissions_boundary = null
}

run "role_is_restricted_to_sagemaker_and_its_prefixes" {
  module {
    source = "./modules/sagemaker_role"
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.this.statement : statement.resources
      if contains(statement.actions, "s3:PutObject")
    ] == [toset([for key in ["models", "transform"] : "arn:aws:s3:::some-bucket/${key}/*"])]
    error_message = "The role may write only under its prefixes."
  }

  assert {
    condition = alltrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [
        for action in statement.actions : !startswith(action, "s3:Delete")
      ]
    ]))
    error_message = "The role may not delete objects."
  }

  assert {
    condition     = one(one(data.aws_iam_policy_document.assume.statement).principals).identifiers == toset(["sagemaker.amazonaws.com"])
    error_message = "Only SageMaker may assume the role."
  }

  assert {
    condition = alltrue([
      one(one(data.aws_iam_policy_document.assume.statement).condition).variable == "aws:SourceAccount",
      one(one(data.aws_iam_policy_document.assume.statement).condition).values == tolist(["123456789012"]),
    ])
    error_message = "SageMaker may assume the role for this account only."
  }

  assert {
    condition     = aws_iam_role.this.name == "some-role" && aws_iam_role.this.permissions_boundary == null
    error_message = "The role must have its name, and no permissions boundary unless one is given."
  }

  assert {
    condition = !anytrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [
        for action in statement.actions : contains(["kms:CreateGrant", "cloudwatch:DescribeAlarms"], action)
      ]
    ]))
    error_message = "Grants and alarms must be allowed only if the role needs them."
  }
}

run "role_has_the_permissions_boundary" {
  command = plan

  module {
    source = "./modules/sagemaker_role"
  }

  variables {
    permissions_boundary = "arn:aws:iam::123456789012:policy/some-boundary"
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == var.permissions_boundary
    error_message = "The role must have the given permissions boundary."
  }
}

run "write_access_to_the_whole_bucket_is_rejected" {
  command = plan

  module {
    source = "./modules/sagemaker_role"
  }

  variables {
    writable_prefixes = [""]
  }

  expect_failures = [var.writable_prefixes]
}
