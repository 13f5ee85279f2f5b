# Amazon States Language: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
#
# No state catches an error, so that a redrive of the execution continues with the failed Map:
# https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html
locals {
  partition = split(":", var.function_arns["summarize"])[1]
  folder    = "${var.batch_prefix}/{}" # folder of one execution; the execution's name replaces the braces

  # The delays add up to 91 seconds at most. An Express execution may take 300 seconds, so about 200 seconds remain for the
  # attempts.
  backoff = { IntervalSeconds = 1, MaxAttempts = 8, MaxDelaySeconds = 20, BackoffRate = 2, JitterStrategy = "FULL" }

  # Transient errors of the Lambda service: https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
  lambda_errors = [for name in ["ServiceException", "AWSLambdaException", "SdkClientException", "TooManyRequestsException"] : "Lambda.${name}"]

  # Runtime.ExitError: the function's process was killed. A retry is safe, because the function writes the same result
  # again.
  repeatable_errors = concat(local.lambda_errors, ["Runtime.ExitError"])

  # In a VPC, a function that has been idle for a long time is inactive. Its first invocation fails, and Lambda then takes
  # up to about 90 seconds to connect the function to the VPC again, during which invocations fail too:
  # https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
  # The delays add up to two minutes. They have no jitter, because jitter would make some executions retry for less than
  # 90 seconds.
  not_ready_errors = ["ResourceNotReadyException", "ResourceConflictException", "ENINotReadyException", "EC2ThrottledException", "EC2UnexpectedException"]
  not_ready_retry = {
    ErrorEquals     = [for name in local.not_ready_errors : "Lambda.${name}"]
    IntervalSeconds = 10
    MaxAttempts     = 12
    BackoffRate     = 1
  }

  # Timeouts in seconds
  classify_timeout  = 130    # longer than the function timeout of classify_batch, 120 seconds
  summarize_timeout = 310    # longer than the function timeout of summarize, 300 seconds
  execution_timeout = 604800 # a week

  # The Map states, one for each source of keys. `input` is the field of the execution's input that selects the Map
  # state.
  sources = {
    # the prefix must start with one of image_prefixes and a slash
    ClassifyPrefix = {
      input     = "prefix"
      condition = { Or = [for prefix in var.image_prefixes : { Variable = "$.prefix", StringMatches = "${prefix}/*" }] }
      fields = {
        ItemReader = {
          Resource   = "arn:${local.partition}:states:::s3:listObjectsV2"
          Parameters = { Bucket = var.bucket_name, "Prefix.$" = "$.prefix" }
        }
        ItemSelector = { "Key.$" = "$$.Map.Item.Value.Key" }
      }
    }
    ClassifyManifest = {
      input     = "manifest"
      condition = { Variable = "$.manifest", StringMatches = "${var.batch_prefix}/manifests/*.jsonl" }
      fields    = { ItemReader = merge(local.read_manifest, { ReaderConfig = { InputType = "JSONL" } }) }
    }
    ClassifyCsvManifest = {
      input     = "manifest"
      condition = { Variable = "$.manifest", StringMatches = "${var.batch_prefix}/manifests/*.csv" }
      fields    = { ItemReader = merge(local.read_manifest, { ReaderConfig = { InputType = "CSV", CSVHeaderLocation = "FIRST_ROW" } }) }
    }
    ClassifyKeys = {
      input     = "keys"
      condition = { Variable = "$.keys[0]", IsPresent = true } # a list that is not empty
      fields    = { ItemsPath = "$.keys" }
    }
  }

  read_manifest = {
    Resource   = "arn:${local.partition}:states:::s3:getObject"
    Parameters = { Bucket = var.bucket_name, "Key.$" = "$.manifest" }
  }

  # States pass on keys and counts only. The function reads images from S3 and writes predictions to S3.
  map = {
    Type                       = "Map"
    MaxConcurrency             = var.settings.max_concurrency
    ToleratedFailurePercentage = var.settings.tolerated_failure_percentage
    ItemBatcher = {
      MaxItemsPerBatch = var.settings.batch_size
      BatchInput       = { "predictions.$" = "States.Format('${local.folder}/predictions', $$.Execution.Name)" }
    }
    # The function summarize reads JSON Lines as a stream. With the transformation NONE, the line of a failed batch has
    # both the batch's input and its error.
    ResultWriter = {
      Resource     = "arn:${local.partition}:states:::s3:putObject"
      Parameters   = { Bucket = var.bucket_name, "Prefix.$" = "States.Format('${local.folder}/results', $$.Execution.Name)" }
      WriterConfig = { Transformation = "NONE", OutputType = "JSONL" }
    }
    Next = "Summarize"
  }

  classify_batch = {
    Type     = "Task"
    Resource = "arn:${local.partition}:states:::lambda:invoke"
    Parameters = {
      FunctionName = var.function_arns["classify_batch"]
      Payload = {
        bucket          = var.bucket_name
        "predictions.$" = "$.BatchInput.predictions"
        "items.$"       = "$.Items"
        "execution.$"   = "$$.Execution.Id"
      }
    }
    ResultSelector = { "counts.$" = "$.Payload" }
    OutputPath     = "$.counts"
    TimeoutSeconds = local.classify_timeout
    Retry = [
      merge(local.backoff, { ErrorEquals = concat(local.repeatable_errors, ["EndpointUnavailableError", "StorageUnavailableError"]) }),
      local.not_ready_retry,
    ]
    End = true
  }

  # The name of a state must be unique in the whole definition: https://docs.aws.amazon.com/step-functions/latest/dg/statemachine-structure.html
  maps = {
    for name, source in local.sources : name => merge(local.map, source.fields, {
      ItemProcessor = {
        ProcessorConfig = { Mode = "DISTRIBUTED", ExecutionType = "EXPRESS" }
        StartAt         = "${name}Batch"
        States          = { "${name}Batch" = local.classify_batch }
      }
    })
  }

  definition = {
    Comment        = "Classifies many images: all objects below a prefix, or the objects in a manifest or a list of keys."
    StartAt        = "ChooseSource"
    TimeoutSeconds = local.execution_timeout

    States = merge(local.maps, {
      ChooseSource = {
        Type = "Choice"
        Choices = [for name, source in local.sources : {
          # IsPresent comes first, because a comparison with an absent field fails the execution
          And = concat(
            [for other in ["prefix", "manifest", "keys"] : { Variable = "$.${other}", IsPresent = other == source.input }],
            [source.condition]
          )
          Next = name
        }]
        Default = "InputInvalid"
      }
      InputInvalid = {
        Type  = "Fail"
        Error = "InputInvalidError"
        Cause = "The input must have exactly one of: prefix (below ${join(", ", [for prefix in var.image_prefixes : "${prefix}/"])}), manifest (a .jsonl or .csv object below ${var.batch_prefix}/manifests/) and keys (a list)."
      }
      Summarize = {
        Type     = "Task"
        Resource = "arn:${local.partition}:states:::lambda:invoke"
        Parameters = {
          FunctionName = var.function_arns["summarize"]
          Payload = {
            bucket        = var.bucket_name
            "manifest.$"  = "$.ResultWriterDetails.Key"
            "folder.$"    = "States.Format('${local.folder}', $$.Execution.Name)"
            "execution.$" = "$$.Execution.Id"
          }
        }
        ResultSelector = { "summary.$" = "$.Payload" }
        OutputPath     = "$.summary"
        TimeoutSeconds = local.summarize_timeout
        Retry          = [merge(local.backoff, { ErrorEquals = local.repeatable_errors }), local.not_ready_retry]
        End            = true
      }
    })
  }
}
