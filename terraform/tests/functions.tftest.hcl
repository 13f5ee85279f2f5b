# The Lambda functions: configuration, code and permissions.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix               = "scones-test"
  archive_directory    = "../build/lambdas"
  bucket_arn           = "arn:aws:s3:::some-bucket"
  image_prefixes       = ["train", "test"]
  batch_prefix         = "batch"
  endpoint_arn         = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/some-endpoint"
  endpoint_name        = "some-endpoint"
  classes              = ["bicycle", "motorcycle"]
  threshold            = 0.93
  log_retention_days   = 30
  kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/some-key"
  permissions_boundary = null
}

run "each_function_has_its_own_code_environment_and_permissions" {
  module {
    source = "./modules/functions"
  }

  assert {
    condition     = length(aws_lambda_function.this["serialize"].environment) == 0
    error_message = "Serialize must have no environment variables."
  }

  assert {
    condition = one(aws_lambda_function.this["classify"].environment).variables == tomap({
      ENDPOINT_NAME = "some-endpoint"
      CLASS_NAMES   = "[\"bicycle\",\"motorcycle\"]"
    })
    error_message = "Classify must have the endpoint name, and the class names in their order."
  }

  assert {
    condition     = one(aws_lambda_function.this["filter"].environment).variables == tomap({ THRESHOLD = "0.93" })
    error_message = "Filter must have the threshold."
  }

  assert {
    condition = alltrue([
      for name, function in aws_lambda_function.this : alltrue([
        function.function_name == "scones-test-${name}",
        function.handler == "handler.handler",
        function.filename == "../build/lambdas/${name}.zip",
        function.source_code_hash == filebase64sha256("../build/lambdas/${name}.zip"),
      ])
    ])
    error_message = "Each function must be deployed from its own zip file, and updated when the file changes."
  }

  assert {
    condition = jsonencode({
      for name, document in data.aws_iam_policy_document.this :
      name => sort(flatten([for statement in document.statement : tolist(statement.actions)]))
      }) == jsonencode({
      serialize = ["kms:Decrypt", "logs:CreateLogStream", "logs:PutLogEvents", "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "xray:PutTelemetryRecords", "xray:PutTraceSegments"]
      classify  = ["kms:Decrypt", "logs:CreateLogStream", "logs:PutLogEvents", "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "sagemaker:InvokeEndpoint", "xray:PutTelemetryRecords", "xray:PutTraceSegments"]
      filter    = ["logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"]

      classify_batch = ["kms:Decrypt", "kms:GenerateDataKey*", "logs:CreateLogStream", "logs:PutLogEvents", "s3:GetObject", "s3:ListBucket", "s3:PutObject", "sagemaker:InvokeEndpoint", "xray:PutTelemetryRecords", "xray:PutTraceSegments"]
      summarize      = ["kms:Decrypt", "kms:GenerateDataKey*", "logs:CreateLogStream", "logs:PutLogEvents", "s3:GetObject", "s3:PutObject", "xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    })
    error_message = "Each function must be able to write logs and traces and perform the actions that its code needs, and nothing else."
  }

  assert {
    condition = alltrue(flatten([
      for document in data.aws_iam_policy_document.this : [
        for statement in document.statement : !contains(statement.resources, "*")
        if statement.actions != toset(["xray:PutTraceSegments", "xray:PutTelemetryRecords"])
      ]
    ]))
    error_message = "Only X-Ray actions may have the resource `*`."
  }

  assert {
    condition = alltrue([
      for name in ["serialize", "classify"] : flatten([
        for statement in data.aws_iam_policy_document.this[name].statement : sort(statement.resources)
        if contains(statement.actions, "s3:GetObject")
      ]) == ["arn:aws:s3:::some-bucket/test/*", "arn:aws:s3:::some-bucket/train/*"]
    ])
    error_message = "Serialize and classify may read images only, not models or captured data."
  }

  assert {
    condition = toset(flatten([
      for name in ["classify_batch", "summarize"] : [
        for statement in data.aws_iam_policy_document.this[name].statement : tolist(statement.resources)
        if contains(statement.actions, "s3:PutObject")
      ]
    ])) == toset(["arn:aws:s3:::some-bucket/batch/*/predictions/*", "arn:aws:s3:::some-bucket/batch/*/summary.json"])
    error_message = "The functions may write only results of batches, and summarize may also write the summary."
  }

  assert {
    condition = one(aws_lambda_function.this["classify_batch"].environment).variables == tomap({
      ENDPOINT_NAME  = "some-endpoint"
      CLASS_NAMES    = "[\"bicycle\",\"motorcycle\"]"
      THRESHOLD      = "0.93"
      IMAGE_PREFIXES = "[\"train\",\"test\"]"
    })
    error_message = "classify_batch must have environment variables for the endpoint, the classes, the threshold and the image prefixes."
  }
}

run "missing_zip_file_is_rejected" {
  command = plan

  module {
    source = "./modules/functions"
  }

  variables {
    archive_directory = "no/such/folder"
  }

  expect_failures = [aws_lambda_function.this]
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/functions"
  }

  variables {
    prefix      = "Scones_Test"
    kms_key_arn = "alias/scones-test"
    bucket_arn  = "some-bucket"
  }

  expect_failures = [var.prefix, var.kms_key_arn, var.bucket_arn]
}
