locals {
  runtime = "python3.12"

  functions = {
    serialize = {
      description = "Reads an image from S3 and returns it in base64."
      timeout     = 30
      environment = null
    }
    classify = {
      description = "Invokes the endpoint with an image and returns its class probabilities."
      timeout     = 90 # longer than the sum of the timeouts of the function's boto3 clients
      environment = { ENDPOINT_NAME = var.endpoint_name, CLASS_NAMES = jsonencode(var.classes) }
    }
    filter = {
      description = "Fails if the highest probability is below the threshold."
      timeout     = 30
      environment = { THRESHOLD = tostring(var.threshold) }
    }
    classify_batch = {
      description = "Classifies a batch of images, and writes one line for each to S3."
      timeout     = 120 # an Express execution invokes this function, and may take 300 seconds including retries
      memory_size = 1024
      environment = {
        ENDPOINT_NAME  = var.endpoint_name
        CLASS_NAMES    = jsonencode(var.classes)
        THRESHOLD      = tostring(var.threshold)
        IMAGE_PREFIXES = jsonencode(var.image_prefixes)
      }
    }
    summarize = {
      description = "Adds the counts of all batches of an execution."
      timeout     = 300
      environment = null
    }
  }

  image_arns      = [for prefix in var.image_prefixes : "${var.bucket_arn}/${prefix}/*"]
  predictions_arn = "${var.bucket_arn}/${var.batch_prefix}/*/predictions/*"

  # Permissions of each function, in addition to writing logs and traces
  permissions = {
    serialize = local.read_images
    # classify reads the image from S3 if the image is too large for a state's input
    classify = concat(local.read_images, [{ actions = ["sagemaker:InvokeEndpoint"], resources = [var.endpoint_arn] }])
    filter   = []
    classify_batch = [
      { actions = ["s3:GetObject"], resources = concat(local.image_arns, [local.predictions_arn]) },
      { actions = ["s3:PutObject"], resources = [local.predictions_arn] },
      # without this permission S3 returns 403 instead of 404 for a missing object
      { actions = ["s3:ListBucket"], resources = [var.bucket_arn] },
      { actions = ["kms:Decrypt", "kms:GenerateDataKey*"], resources = [var.kms_key_arn] },
      { actions = ["sagemaker:InvokeEndpoint"], resources = [var.endpoint_arn] },
    ]
    summarize = [
      { actions = ["s3:GetObject"], resources = ["${var.bucket_arn}/${var.batch_prefix}/*/results/*"] },
      { actions = ["s3:PutObject"], resources = ["${var.bucket_arn}/${var.batch_prefix}/*/summary.json", local.predictions_arn] },
      { actions = ["kms:Decrypt", "kms:GenerateDataKey*"], resources = [var.kms_key_arn] },
    ]
  }

  read_images = [
    { actions = ["s3:GetObject", "s3:GetObjectVersion"], resources = local.image_arns },
    # without this permission S3 returns 403 instead of 404 for a missing object
    { actions = ["s3:ListBucket"], resources = [var.bucket_arn] },
    { actions = ["kms:Decrypt"], resources = [var.kms_key_arn] },
  ]
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "this" {
  for_each                = local.functions
  source_policy_documents = var.network[*].policy

  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this[each.key].arn}:*"]
  }

  statement {
    actions = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    # X-Ray actions support no resource ARN
    resources = ["*"]
  }

  dynamic "statement" {
    for_each = local.permissions[each.key]

    content {
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.functions

  name                 = "${var.prefix}-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  for_each = local.functions

  name   = "function"
  role   = aws_iam_role.this[each.key].id
  policy = data.aws_iam_policy_document.this[each.key].json
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:log_retention_days is set per environment; one year in production
  for_each = local.functions

  name              = "/aws/lambda/${var.prefix}-${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

# The provider cannot attach an existing function to a VPC that the same apply creates, so the function is replaced:
# https://github.com/hashicorp/terraform-provider-aws/issues/8509
resource "terraform_data" "in_vpc" {
  input = var.network != null
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:reserved concurrency would reduce the account's pool; only the state machine invokes the functions
  #checkov:skip=CKV_AWS_116:the state machine invokes the functions synchronously and handles their failures
  #checkov:skip=CKV_AWS_117:the VPC is optional, set per environment
  #checkov:skip=CKV_AWS_173:the environment variables contain no secrets
  #checkov:skip=CKV_AWS_272:one pipeline builds the zip files and applies them from a saved plan
  for_each = local.functions

  function_name    = "${var.prefix}-${each.key}"
  description      = each.value.description
  role             = aws_iam_role.this[each.key].arn
  runtime          = local.runtime
  handler          = "handler.handler"
  filename         = "${var.archive_directory}/${each.key}.zip"
  source_code_hash = fileexists("${var.archive_directory}/${each.key}.zip") ? filebase64sha256("${var.archive_directory}/${each.key}.zip") : null
  timeout          = each.value.timeout
  memory_size      = try(each.value.memory_size, 256)

  # Only the JSON format includes the fields that the functions add. The level is INFO, because the confidence metric
  # reads INFO records of filter.
  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    log_group             = aws_cloudwatch_log_group.this[each.key].name
  }

  tracing_config {
    mode = "Active"
  }

  dynamic "vpc_config" {
    for_each = var.network[*]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  dynamic "environment" {
    for_each = each.value.environment == null ? [] : [each.value.environment]

    content {
      variables = environment.value
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.in_vpc]

    precondition {
      condition     = fileexists("${var.archive_directory}/${each.key}.zip")
      error_message = "${var.archive_directory}/${each.key}.zip does not exist: run `make lambdas` first."
    }

    # The provider compares source_code_hash with the value in the state, so only this condition compares it with the
    # deployed code. While an update of the code is planned, last_modified is unknown, so Terraform evaluates the
    # condition after the update.
    postcondition {
      condition     = self.code_sha256 == self.source_code_hash || self.last_modified == ""
      error_message = "The code of ${self.function_name} was replaced outside Terraform: run `make up ENV=${trimprefix(var.prefix, "scones-")}`, which restores it."
    }
  }

  depends_on = [aws_iam_role_policy.this]
}
