locals {
  name = "${var.prefix}-workflow"

  # What Lambda may recover from by itself: https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
  retry = [{
    ErrorEquals = [
      "Lambda.ServiceException",
      "Lambda.AWSLambdaException",
      "Lambda.SdkClientException",
      "Lambda.TooManyRequestsException",
    ]
    IntervalSeconds = 1
    MaxAttempts     = 5
    BackoffRate     = 2
    JitterStrategy  = "FULL"
  }]

  # While the endpoint is updated, a part of the requests reaches the new model: if it fails, the old one still answers
  ask_again = [{
    ErrorEquals     = ["ModelFailedError"]
    IntervalSeconds = 1
    MaxAttempts     = 6
    BackoffRate     = 2
    JitterStrategy  = "FULL"
  }]

  # Nothing is caught away: whatever is caught here fails the execution under its own name, once it is counted and told.
  # Without a ResultPath the error takes the place of the state, and the image goes no further.
  catch = [{
    ErrorEquals = ["States.ALL"]
    Next        = "Count"
  }]

  # What cannot be counted or told must not hide why the execution failed
  uncaught = {
    for next in ["Notify", "Failed"] : next => [{ ErrorEquals = ["States.ALL"], ResultPath = "$.hidden", Next = next }]
  }

  # What the states that invoke a function have in common
  invoke = {
    for name, arn in var.function_arns : name => {
      Type       = "Task"
      Resource   = "arn:${local.partition}:states:::lambda:invoke"
      Parameters = { FunctionName = arn, Payload = { "execution.$" = "$$.Execution.Id", "body.$" = "$" } }
      Retry      = local.retry
      Catch      = local.catch
    }
  }

  definition = {
    Comment = "Classifies the vehicle in one image, and fails below the confidence threshold."
    StartAt = "Serialize"
    States = {
      Serialize = merge(local.invoke["serialize"], {
        ResultSelector = { "body.$" = "$.Payload.body" }
        OutputPath     = "$.body"
        Next           = "Classify"
      })
      Classify = merge(local.invoke["classify"], {
        Retry          = concat(local.retry, local.ask_again)
        ResultSelector = { "body.$" = "$.Payload.body" }
        OutputPath     = "$.body"
        Next           = "Filter"
      })
      Filter = merge(local.invoke["filter"], {
        # the image has done its work
        ResultSelector = {
          "s3_bucket.$"     = "$.Payload.body.s3_bucket"
          "s3_key.$"        = "$.Payload.body.s3_key"
          "inferences.$"    = "$.Payload.body.inferences"
          "predictions.$"   = "$.Payload.body.predictions"
          "class.$"         = "$.Payload.body.class"
          "confidence.$"    = "$.Payload.body.confidence"
          "model_version.$" = "$.Payload.body.model_version"
        }
        Next = "Record"
      })
      Record = {
        Type     = "Task"
        Resource = "arn:${local.partition}:states:::dynamodb:putItem"
        Parameters = {
          TableName = var.table_name
          Item = {
            image         = { "S.$" = "States.Format('s3://{}/{}', $.s3_bucket, $.s3_key)" }
            class         = { "S.$" = "$.class" }
            confidence    = { "N.$" = "States.Format('{}', $.confidence)" }
            model_version = { "S.$" = "$.model_version" }
            execution     = { "S.$" = "$$.Execution.Id" }
            recorded      = { "S.$" = "$$.State.EnteredTime" }
          }
        }
        ResultPath = null
        Retry      = [{ ErrorEquals = ["DynamoDB.ProvisionedThroughputExceededException", "DynamoDB.InternalServerErrorException"], IntervalSeconds = 1, MaxAttempts = 3, BackoffRate = 2 }]
        Catch      = local.catch
        End        = true
      }
      Count = {
        Type     = "Task"
        Resource = "arn:${local.partition}:states:::aws-sdk:cloudwatch:putMetricData"
        Parameters = {
          Namespace = var.metrics_namespace
          # in one call, so that all failures less those of one name are exact
          MetricData = [
            { MetricName = "Failures", Value = 1, Unit = "Count" },
            { MetricName = "FailuresByName", Value = 1, Unit = "Count", Dimensions = [{ Name = "Error", "Value.$" = "$.Error" }] },
          ]
        }
        ResultPath = null
        Catch      = local.uncaught["Notify"]
        Next       = "Notify"
      }
      Notify = {
        Type     = "Task"
        Resource = "arn:${local.partition}:states:::sns:publish"
        Parameters = {
          TopicArn    = aws_sns_topic.this.arn
          Subject     = "${local.name} failed"
          "Message.$" = "States.Format('{} failed with {}: {}', $$.Execution.Id, $.Error, $.Cause)"
        }
        ResultPath = null
        Catch      = local.uncaught["Failed"]
        Next       = "Failed"
      }
      Failed = {
        Type      = "Fail"
        ErrorPath = "$.Error"
        CausePath = "$.Cause"
      }
    }
  }

  partition = data.aws_partition.this.partition

  # Who tells the topic of what, beside the state machine
  tellers = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]
}

data "aws_partition" "this" {}

data "aws_caller_identity" "this" {}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["states.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "Invoke"
    actions   = ["lambda:InvokeFunction"]
    resources = flatten([for arn in values(var.function_arns) : [arn, "${arn}:*"]])
  }

  statement {
    sid       = "Record"
    actions   = ["dynamodb:PutItem"]
    resources = [var.table_arn]
  }

  statement {
    sid       = "Notify"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this.arn]
  }

  statement {
    sid     = "Count"
    actions = ["cloudwatch:PutMetricData"]
    # metrics have no resource to name, only a namespace
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = [var.metrics_namespace]
    }
  }

  statement {
    sid       = "UseKey" # of the topic and the table
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = [var.kms_key_arn]
  }

  statement {
    sid = "DeliverLogs"
    actions = [
      "logs:CreateLogDelivery",
      "logs:GetLogDelivery",
      "logs:UpdateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:DescribeResourcePolicies",
      "logs:DescribeLogGroups",
    ]
    # these have no resource to name: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
    resources = ["*"]
  }

  statement {
    sid = "Trace"
    actions = [
      "xray:GetSamplingRules",
      "xray:GetSamplingTargets",
      "xray:PutTelemetryRecords",
      "xray:PutTraceSegments",
    ]
    # traces have no resource to name
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "topic" {
  statement {
    sid       = "Tell"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this.arn]

    principals {
      type        = "Service"
      identifiers = local.tellers
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = local.name
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  name   = "workflow"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:how long logs are kept is the environment's setting; a year in production
  name              = "/aws/vendedlogs/states/${local.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_sns_topic" "this" {
  name              = "${var.prefix}-failures"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_policy" "this" {
  arn    = aws_sns_topic.this.arn
  policy = data.aws_iam_policy_document.topic.json
}

resource "aws_sns_topic_subscription" "this" {
  count = var.failure_email == null ? 0 : 1

  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = var.failure_email
}

resource "aws_sfn_state_machine" "this" {
  #checkov:skip=CKV_AWS_285:errors are logged; what was executed would hold the images
  name       = local.name
  role_arn   = aws_iam_role.this.arn
  definition = jsonencode(local.definition)

  logging_configuration {
    level                  = "ERROR"
    include_execution_data = false # it would hold the images
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
  }

  tracing_configuration {
    enabled = true
  }

  # created before its permissions, it would be refused the log group
  depends_on = [aws_iam_role_policy.this]
}
