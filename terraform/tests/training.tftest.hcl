# What training jobs may do: read the bucket, and write where their answers belong.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix               = "scones-test"
  bucket_arn           = "arn:aws:s3:::some-bucket"
  models_key           = "models"
  transform_key        = "transform"
  checkpoints_key      = "checkpoints"
  kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/some-key"
  permissions_boundary = null
}

run "a_job_writes_models_answers_and_checkpoints_alone" {
  module {
    source = "./modules/training"
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.this.statement : statement.resources
      if contains(statement.actions, "s3:PutObject")
    ] == [toset([for key in ["models", "transform", "checkpoints"] : "arn:aws:s3:::some-bucket/${key}/*"])]
    error_message = "A job must not be able to overwrite the images, or what the endpoint captured."
  }

  assert {
    condition = alltrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [
        for action in statement.actions : !startswith(action, "s3:Delete")
      ]
    ]))
    error_message = "A job must not delete."
  }
}

run "the_role_is_sagemakers" {
  module {
    source = "./modules/training"
  }

  assert {
    condition     = one(one(data.aws_iam_policy_document.assume.statement).principals).identifiers == toset(["sagemaker.amazonaws.com"])
    error_message = "Nobody but SageMaker may take on the role of training jobs."
  }

  assert {
    condition     = aws_iam_role.this.name == "scones-test-training" && aws_iam_role.this.permissions_boundary == null
    error_message = "Without a boundary the role must have none."
  }
}

run "the_role_stays_within_its_boundary" {
  command = plan

  module {
    source = "./modules/training"
  }

  variables {
    permissions_boundary = "arn:aws:iam::123456789012:policy/some-boundary"
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == var.permissions_boundary
    error_message = "The role must be within the boundary that is given."
  }
}

run "each_algorithm_has_its_images" {
  module {
    source = "./modules/training"
  }

  assert {
    condition     = keys(output.training_images) == keys(output.serving_images)
    error_message = "What is trained must be served."
  }
}

run "inputs_of_another_form_are_refused" {
  command = plan

  module {
    source = "./modules/training"
  }

  variables {
    prefix      = "Scones_Test"
    kms_key_arn = "alias/scones-test"
    bucket_arn  = "some-bucket"
  }

  expect_failures = [var.prefix, var.kms_key_arn, var.bucket_arn]
}
