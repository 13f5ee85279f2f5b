# These states count each failure and publish it to the SNS topic. If an S3 event started the execution, they also write
# the object version's item and a review entry, and copy the image. Each state passes on its input (the fields Error and
# Cause) unchanged, so that an error in one of these states does not hide why the execution failed.
locals {
  ignore_error = {
    for next in ["IsReviewable", "WriteReview", "IsCopyable", "NotifyFailure", "Failed"] :
    next => [{ ErrorEquals = ["States.ALL"], Output = "{% $states.input %}", Next = next }]
  }

  # Why the execution failed: for a function's error, the errorMessage in Lambda's JSON; for any other error, the whole
  # Cause
  reason = "($message := $match($states.input.Cause, /\"errorMessage\": ?\"(.*?)\", ?\"errorType\"/); $exists($message) ? $message[0].groups[0] : $states.input.Cause)"

  review_key = "'${var.review_prefix}/' & $states.input.Error & '/' & $driver & '/' & $version"

  # Common fields of the tasks
  failure_task = {
    Type           = "Task"
    QueryLanguage  = "JSONata"
    TimeoutSeconds = local.task_timeout
    Output         = "{% $states.input %}"
  }

  failure_states = {
    CountFailure = merge(local.failure_task, {
      Resource = "arn:${local.partition}:states:::aws-sdk:cloudwatch:putMetricData"
      Arguments = {
        Namespace = var.metrics_namespace
        # one call publishes both metrics, because alarms subtract the count of single errors from the total
        MetricData = [
          { MetricName = "Failures", Value = 1, Unit = "Count" },
          { MetricName = "FailuresByError", Value = 1, Unit = "Count", Dimensions = [{ Name = "Error", Value = "{% $states.input.Error %}" }] },
        ]
      }
      Catch = local.ignore_error["IsReviewable"]
      Next  = "IsReviewable"
    })

    IsReviewable = {
      Type    = "Choice"
      Choices = [{ Variable = "$from_event", BooleanEquals = true, Next = "ClaimReview" }]
      Default = "NotifyFailure"
    }

    # If several executions fail for one object version, only the first writes a review entry
    ClaimReview = merge(local.put_new_item, {
      Arguments = merge(local.put_new_item_arguments, {
        ExpressionAttributeValues = local.condition_values["review"]
        Item = merge(local.common_attributes, local.event_attributes, local.expires, {
          outcome = { S = "review" }
          error   = { S = "{% $states.input.Error %}" }
        })
      })
      Catch = concat([{
        ErrorEquals = ["DynamoDB.ConditionalCheckFailedException"]
        Output      = "{% $states.input %}"
        Next        = "Failed"
      }], local.ignore_error["WriteReview"])
      Next = "WriteReview"
    })

    WriteReview = merge(local.failure_task, {
      Resource = "arn:${local.partition}:states:::aws-sdk:s3:putObject"
      Arguments = {
        Bucket      = var.bucket_name
        Key         = "{% ${local.review_key} & '.json' %}"
        ContentType = "application/json"
        Body = {
          key          = "{% $key %}"
          version      = "{% $version %}"
          driver       = "{% $driver %}"
          photographed = "{% $photographed %}"
          error        = "{% $states.input.Error %}"
          reason       = "{% ${local.reason} %}"
          execution    = "{% $states.context.Execution.Id %}"
        }
      }
      Retry = local.long_retry
      Catch = local.ignore_error["IsCopyable"]
      Next  = "IsCopyable"
    })

    IsCopyable = {
      Type = "Choice"
      Choices = [
        { Variable = "$.Error", StringEquals = "ImageMissingError", Next = "NotifyFailure" },
        { Variable = "$size", NumericLessThan = 10 * 1000 * 1000, Next = "CopyImage" },
      ]
      Default = "NotifyFailure"
    }

    # CopySource must be URL-encoded, because S3 decodes it: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    CopyImage = merge(local.failure_task, {
      Resource = "arn:${local.partition}:states:::aws-sdk:s3:copyObject"
      Arguments = {
        Bucket           = var.bucket_name
        Key              = "{% ${local.review_key} %}"
        CopySource       = "{% '${var.bucket_name}/' & $join($map($split($key, '/'), function($part) { $encodeUrlComponent($part) }), '/') & '?versionId=' & $version %}"
        TaggingDirective = "REPLACE" # copying the tags would require permission to read them
      }
      Retry = [merge(local.backoff, { ErrorEquals = ["States.ALL"] })]
      Catch = local.ignore_error["NotifyFailure"]
      Next  = "NotifyFailure"
    })

    NotifyFailure = merge(local.failure_task, {
      Resource = "arn:${local.partition}:states:::sns:publish"
      Arguments = {
        TopicArn = var.topic_arn
        Subject  = "${var.name}: execution failed"
        Message = join(" & ", [
          "{% $image",
          "' failed with ' & $states.input.Error & ': ' & ${local.reason}",
          "'\n\nExecution: ' & $states.context.Execution.Id",
          "'\nTo show the execution: make execution ENV=${var.environment} ID=' & $states.context.Execution.Name %}",
        ])
      }
      Retry = [merge(local.backoff, { ErrorEquals = ["States.ALL"], MaxAttempts = 6 })]
      Catch = local.ignore_error["Failed"]
      Next  = "Failed"
    })

    Failed = {
      Type      = "Fail"
      ErrorPath = "$.Error"
      CausePath = "$.Cause"
    }
  }
}
