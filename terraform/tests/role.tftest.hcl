# What SageMaker may do for a container: read what it is given, and write where its answers belong.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                 = "some-role"
  bucket_arn           = "arn:aws:s3:::some-bucket"
  read_keys            = ["train/*"]
  write_keys           = ["models", "transform"]
  kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/some-key"
  log_groups           = ["TrainingJobs"]
  repositories         = ["pytorch-training"]
  permissions_boundary = null
}

run "a_container_writes_where_it_is_told_alone" {
  module {
    source = "./modules/role"
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.this.statement : statement.resources
      if contains(statement.actions, "s3:PutObject")
    ] == [toset([for key in ["models", "transform"] : "arn:aws:s3:::some-bucket/${key}/*"])]
    error_message = "A container must not be able to overwrite what is not its own."
  }

  assert {
    condition = alltrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [
        for action in statement.actions : !startswith(action, "s3:Delete")
      ]
    ]))
    error_message = "A container must not delete."
  }
}

run "the_role_is_sagemakers" {
  module {
    source = "./modules/role"
  }

  assert {
    condition     = one(one(data.aws_iam_policy_document.assume.statement).principals).identifiers == toset(["sagemaker.amazonaws.com"])
    error_message = "Nobody but SageMaker may take on the role."
  }

  assert {
    condition = alltrue([
      one(one(data.aws_iam_policy_document.assume.statement).condition).variable == "aws:SourceAccount",
      one(one(data.aws_iam_policy_document.assume.statement).condition).values == tolist(["123456789012"]),
    ])
    error_message = "SageMaker may take it on for this account alone."
  }

  assert {
    condition     = aws_iam_role.this.name == "some-role" && aws_iam_role.this.permissions_boundary == null
    error_message = "Without a boundary the role must have none."
  }
}

run "the_role_stays_within_its_boundary" {
  command = plan

  module {
    source = "./modules/role"
  }

  variables {
    permissions_boundary = "arn:aws:iam::123456789012:policy/some-boundary"
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == var.permissions_boundary
    error_message = "The role must be within the boundary that is given."
  }
}

run "what_is_not_asked_for_is_not_allowed" {
  module {
    source = "./modules/role"
  }

  assert {
    condition = !anytrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [
        for action in statement.actions : contains(["kms:CreateGrant", "cloudwatch:DescribeAlarms"], action)
      ]
    ]))
    error_message = "A key that is not lent, and alarms that are not watched, are none of its business."
  }
}

run "the_whole_bucket_is_not_written" {
  command = plan

  module {
    source = "./modules/role"
  }

  variables {
    write_keys = [""]
  }

  expect_failures = [var.write_keys]
}
