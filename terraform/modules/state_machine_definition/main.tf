# Amazon States Language: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
locals {
  backoff      = { IntervalSeconds = 1, MaxAttempts = 5, BackoffRate = 2, JitterStrategy = "FULL" }
  long_backoff = merge(local.backoff, { MaxAttempts = 12, MaxDelaySeconds = 60 })

  # Transient errors of the Lambda service: https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
  lambda_errors = ["ServiceException", "AWSLambdaException", "SdkClientException", "TooManyRequestsException"]
  # In a VPC, a function that has been idle for a long time is inactive. Its first invocation fails, and Lambda then takes
  # up to about 90 seconds to connect the function to the VPC again, during which invocations fail too:
  # https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
  not_ready_errors = ["ResourceNotReadyException", "ResourceConflictException", "ENINotReadyException", "EC2ThrottledException", "EC2UnexpectedException"]
  # The retries continue for several minutes, because many simultaneous photographs may exceed the account's Lambda
  # concurrency.
  lambda_retry = [merge(local.long_backoff, { ErrorEquals = [for name in concat(local.lambda_errors, local.not_ready_errors) : "Lambda.${name}"] })]

  # The function ended without a response, because it was killed, ran out of memory or timed out:
  # https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html#error-handling-handling-failure-using-retry
  crash_retry = [merge(local.backoff, { ErrorEquals = ["Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout", "States.Timeout"] })]

  storage_retry = [merge(local.backoff, { ErrorEquals = ["StorageUnavailableError"] })]

  # Only the state machine retries InvokeEndpoint: the function makes a single attempt, with boto3's retries disabled.
  # The retries continue for up to about a minute. If the new model fails during a canary deployment, some retries reach the
  # old model, which still serves part of the traffic.
  endpoint_retry = [merge(local.backoff, { ErrorEquals = ["EndpointUnavailableError"], MaxAttempts = 6 })]

  # Timeouts in seconds. Without a timeout, a lost response would stall the execution: https://docs.aws.amazon.com/step-functions/latest/dg/sfn-stuck-execution.html
  task_timeout      = 40    # longer than the function timeout of serialize and filter, 30 seconds
  classify_timeout  = 100   # longer than the function timeout of classify, 90 seconds
  execution_timeout = 14400 # longer than all attempts of all states together

  # After an error is caught, the states in failure_states.tf publish a metric and a notification, and then fail the
  # execution with the name of that error. The rules have no ResultPath, so the error replaces the state's input, and
  # later states do not receive the image. States.ALL must be the only name in its rule, and does not match
  # States.DataLimitExceeded, so there are two rules. No rule can catch States.Runtime, or an output that exceeds the
  # size limit when a state ends. An EventBridge rule (modules/observability) reports these two errors.
  # https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html#error-handling-error-representation
  catch = [for name in ["States.DataLimitExceeded", "States.ALL"] : { ErrorEquals = [name], Next = "CountFailure" }]

  # Common fields of the states that invoke a function
  invoke = {
    for name, arn in var.function_arns : name => {
      Type       = "Task"
      Resource   = "arn:${local.partition}:states:::lambda:invoke"
      Parameters = { FunctionName = arn, Payload = { "execution.$" = "$$.Execution.Id", "body.$" = "$" } }
      Retry      = concat(local.lambda_retry, local.crash_retry)
      Catch      = local.catch

      TimeoutSeconds = local.task_timeout
    }
  }

  definition = {
    Comment = "Classifies the vehicle in one image. Fails if the confidence is below the threshold."
    StartAt = "Input"

    TimeoutSeconds = local.execution_timeout

    States = merge(local.event_states, local.function_states, local.record_states, local.failure_states)
  }

  function_states = {
    Serialize = merge(local.invoke["serialize"], {
      Retry          = concat(local.invoke["serialize"].Retry, local.storage_retry)
      ResultSelector = { "body.$" = "$.Payload.body" }
      OutputPath     = "$.body"
      Next           = "Classify"
    })
    Classify = merge(local.invoke["classify"], {
      TimeoutSeconds = local.classify_timeout
      Retry          = concat(local.invoke["classify"].Retry, local.storage_retry, local.endpoint_retry)
      ResultSelector = { "body.$" = "$.Payload.body" }
      OutputPath     = "$.body"
      Next           = "Filter"
    })
    Filter = merge(local.invoke["filter"], {
      # omits the image, which no later state needs
      ResultSelector = {
        "s3_bucket.$"     = "$.Payload.body.s3_bucket"
        "s3_key.$"        = "$.Payload.body.s3_key"
        "inferences.$"    = "$.Payload.body.inferences"
        "predictions.$"   = "$.Payload.body.predictions"
        "class.$"         = "$.Payload.body.class"
        "confidence.$"    = "$.Payload.body.confidence"
        "model_version.$" = "$.Payload.body.model_version"
      }
      Next = "IsEvent"
    })
  }

  partition = data.aws_partition.this.partition
}

data "aws_partition" "this" {}
