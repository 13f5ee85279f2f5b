locals {
  name         = "${var.prefix}-batch"
  bucket_arn   = "arn:${local.partition}:s3:::${var.bucket_name}"
  results_arn  = "${local.bucket_arn}/${var.batch_prefix}/*/results/*"
  manifest_arn = "${local.bucket_arn}/${var.batch_prefix}/manifests/*"

  # Composed here, because the role's policy needs the ARN before the state machine exists
  state_machine_arn = "arn:${local.partition}:states:${var.region}:${local.account_id}:stateMachine:${local.name}"
  execution_arn     = "arn:${local.partition}:states:${var.region}:${local.account_id}:execution:${local.name}"

  account_id = data.aws_caller_identity.this.account_id
  partition  = data.aws_partition.this.partition

  permissions = {
    InvokeFunctions = {
      actions   = ["lambda:InvokeFunction"]
      resources = flatten([for name in ["classify_batch", "summarize"] : [var.function_arns[name], "${var.function_arns[name]}:*"]])
    }
    # Starting, stopping and redriving child executions: https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
    StartBatches   = { actions = ["states:StartExecution"], resources = [local.state_machine_arn] }
    FollowBatches  = { actions = ["states:DescribeExecution", "states:StopExecution"], resources = ["${local.execution_arn}:*", "${local.execution_arn}/*"] }
    RedriveBatches = { actions = ["states:RedriveExecution"], resources = ["${local.execution_arn}/*"] }
    ReadManifests  = { actions = ["s3:GetObject"], resources = [local.manifest_arn] }
    # https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
    WriteResults = { actions = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"], resources = [local.results_arn] }
    UseKey       = { actions = ["kms:Decrypt", "kms:GenerateDataKey*"], resources = [var.kms_key_arn] }
  }
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

module "definition" {
  source = "../batch_definition"

  bucket_name    = var.bucket_name
  image_prefixes = var.image_prefixes
  batch_prefix   = var.batch_prefix
  function_arns  = var.function_arns
  settings       = var.settings
}

data "aws_iam_policy_document" "this" {
  dynamic "statement" {
    for_each = local.permissions

    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }

  statement {
    sid       = "ListImages"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = [for prefix in var.image_prefixes : "${prefix}/*"]
    }
  }
}

module "state_machine" {
  source = "../state_machine"

  name                 = local.name
  definition           = module.definition.json
  policy               = data.aws_iam_policy_document.this.json
  log_retention_days   = var.log_retention_days
  kms_key_arn          = var.kms_key_arn
  permissions_boundary = var.permissions_boundary
}

# A failed Map can be redriven only if no state catches its error. No state can then send a notification about the error,
# so this rule reports every unsuccessful execution.
resource "aws_cloudwatch_event_rule" "unsuccessful" {
  name        = "${local.name}-unsuccessful"
  description = "Batch executions that failed, timed out or were aborted."

  event_pattern = jsonencode({
    source      = ["aws.states"]
    detail-type = ["Step Functions Execution Status Change"]
    detail      = { stateMachineArn = [local.state_machine_arn], status = ["FAILED", "TIMED_OUT", "ABORTED"] }
  })
}

resource "aws_cloudwatch_event_target" "unsuccessful" {
  rule      = aws_cloudwatch_event_rule.unsuccessful.name
  target_id = "topic" # with a generated ID, an apply after a killed one could create a second target
  arn       = var.topic_arn

  input_transformer {
    input_paths    = { for name in ["executionArn", "name", "status", "error", "cause"] : name => "$.detail.${name}" }
    input_template = "\"<executionArn> is <status> with <error>: <cause>. Its results are kept; continue it with: make batch ENV=${trimprefix(var.prefix, "scones-")} RESUME=<name>\""
  }

  dead_letter_config {
    arn = var.undelivered_queue_arn
  }
}

resource "aws_cloudwatch_metric_alarm" "failures" {
  alarm_name          = "${local.name}-failures"
  alarm_description   = "Batch executions failed, timed out or were aborted. Run `make batch ENV=${trimprefix(var.prefix, "scones-")} RESUME=<name>` to continue one."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]

  metric_query {
    id          = "result"
    expression  = "FILL(failed, 0) + FILL(timed_out, 0) + FILL(aborted, 0)"
    label       = "failures"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { failed = "ExecutionsFailed", timed_out = "ExecutionsTimedOut", aborted = "ExecutionsAborted" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/States"
        metric_name = metric_query.value
        stat        = "Sum"
        period      = 300
        dimensions  = { StateMachineArn = local.state_machine_arn }
      }
    }
  }
}
