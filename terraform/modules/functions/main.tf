locals {
  runtime = "python3.12"

  functions = {
    serialize = {
      description = "Reads an image from S3 and passes it on as base64."
      environment = null
    }
    classify = {
      description = "Asks the endpoint for an image's probabilities."
      environment = { ENDPOINT_NAME = var.endpoint_name, CLASS_NAMES = jsonencode(var.classes) }
    }
    filter = {
      description = "Fails below the confidence threshold."
      environment = { THRESHOLD = tostring(var.threshold) }
    }
  }

  # What each function may do beside writing its own log and traces
  permissions = {
    serialize = [
      { actions = ["s3:GetObject"], resources = [for key in var.image_keys : "${var.bucket_arn}/${key}/*"] },
      # without it S3 answers 403, not 404, for a key that is not there
      { actions = ["s3:ListBucket"], resources = [var.bucket_arn] },
      { actions = ["kms:Decrypt"], resources = [var.kms_key_arn] },
    ]
    classify = [
      { actions = ["sagemaker:InvokeEndpoint"], resources = [var.endpoint_arn] },
    ]
    filter = []
  }
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
    # traces have no resource to name
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
  #checkov:skip=CKV_AWS_338:how long logs are kept is the environment's setting; a year in production
  for_each = local.functions

  name              = "/aws/lambda/${var.prefix}-${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:a limit of its own would be taken from the account's; the state machine is what is started
  #checkov:skip=CKV_AWS_116:it is invoked by the state machine alone, which waits for the answer and keeps what failed
  #checkov:skip=CKV_AWS_117:whether it runs in a VPC is the environment's setting
  #checkov:skip=CKV_AWS_173:its variables are names and a number, and no secret
  #checkov:skip=CKV_AWS_272:the zip is built, and applied from a saved plan, by the same pipeline
  for_each = local.functions

  function_name    = "${var.prefix}-${each.key}"
  description      = each.value.description
  role             = aws_iam_role.this[each.key].arn
  runtime          = local.runtime
  handler          = "handler.handler"
  filename         = "${var.archives}/${each.key}.zip"
  source_code_hash = fileexists("${var.archives}/${each.key}.zip") ? filebase64sha256("${var.archives}/${each.key}.zip") : null
  timeout          = 30
  memory_size      = 256

  # one JSON object a line, with the fields that the functions add; the metric of confidence stands on filter's INFO
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
    precondition {
      condition     = fileexists("${var.archives}/${each.key}.zip")
      error_message = "There is no ${var.archives}/${each.key}.zip: run `make lambdas` first."
    }
  }

  depends_on = [aws_iam_role_policy.this]
}
