# What the state machine does, in Amazon States Language: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
locals {
  backoff = { IntervalSeconds = 1, MaxAttempts = 5, BackoffRate = 2, JitterStrategy = "FULL" }

  # What Lambda may recover from by itself: https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
  lambda_errors = ["ServiceException", "AWSLambdaException", "SdkClientException", "TooManyRequestsException"]
  retry         = [merge(local.backoff, { ErrorEquals = [for name in local.lambda_errors : "Lambda.${name}"] })]

  # While the endpoint is updated, a part of the requests reaches the new model: if it fails, the old one still answers
  ask_again = [merge(local.backoff, { ErrorEquals = ["ModelFailedError"], MaxAttempts = 6 })]

  # Seconds. An answer that got lost must not be waited for: https://docs.aws.amazon.com/step-functions/latest/dg/sfn-stuck-execution.html
  task_timeout    = 40   # the functions' own is 30
  machine_timeout = 1800 # all tries of all states together take less

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

      TimeoutSeconds = local.task_timeout
    }
  }

  definition = {
    Comment = "Classifies the vehicle in one image, and fails below the confidence threshold."
    StartAt = "Serialize"

    TimeoutSeconds = local.machine_timeout

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
        Type           = "Task"
        Resource       = "arn:${local.partition}:states:::dynamodb:putItem"
        TimeoutSeconds = local.task_timeout
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
        Retry      = [merge(local.backoff, { ErrorEquals = ["DynamoDB.ProvisionedThroughputExceededException", "DynamoDB.InternalServerErrorException"] })]
        Catch      = local.catch
        End        = true
      }
      Count = {
        Type           = "Task"
        Resource       = "arn:${local.partition}:states:::aws-sdk:cloudwatch:putMetricData"
        TimeoutSeconds = local.task_timeout
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
        Type           = "Task"
        Resource       = "arn:${local.partition}:states:::sns:publish"
        TimeoutSeconds = local.task_timeout
        Parameters = {
          TopicArn    = var.topic_arn
          Subject     = "${var.name} failed"
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
}

data "aws_partition" "this" {}
