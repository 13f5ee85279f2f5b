# States that write results to DynamoDB: one item per object version, and one item per driver
locals {
  # Retries errors for several minutes, because any DynamoDB or S3 error may be transient. A JSONata expression that
  # cannot be evaluated on the state's input is not retried, because every attempt would fail. Errors that States.ALL
  # does not match, such as States.DataLimitExceeded, are not retried either.
  long_retry = [
    { ErrorEquals = ["States.QueryEvaluationError"], MaxAttempts = 0 },
    merge(local.long_backoff, { ErrorEquals = ["States.ALL"] }),
  ]

  # local.catch for states that use JSONata: Output makes the error the next state's input
  jsonata_catch = [for catch in local.catch : merge(catch, { Output = "{% $states.errorOutput %}" })]

  # The zone and the radius of each class, as DynamoDB attribute values
  zones = {
    for class in var.classes : class => {
      zone      = { S = try(var.zones[class].zone, "unassigned") }
      radius_km = { N = tostring(try(var.zones[class].radius_km, 0)) }
    }
  }
  zone = "$lookup(${jsonencode(local.zones)}, $states.input.class)"

  expires = var.retention_days == null ? {} : {
    expires = { N = "{% $string($floor($toMillis($states.context.Execution.StartTime) / 1000) + ${var.retention_days * 86400}) %}" }
  }

  # Attributes of every item
  common_attributes = {
    image     = { S = "{% $image %}" }
    execution = { S = "{% $states.context.Execution.Id %}" }
    recorded  = { S = "{% $states.context.State.EnteredTime %}" }
  }

  prediction_attributes = {
    confidence    = { N = "{% $string($states.input.confidence) %}" }
    model_version = { S = "{% $states.input.model_version %}" }
    zone          = "{% ${local.zone}.zone %}"
    radius_km     = "{% ${local.zone}.radius_km %}"
  }

  event_attributes = {
    version      = { S = "{% $version %}" }
    driver       = { S = "{% $driver %}" }
    photographed = { S = "{% $photographed %}" }
  }

  vehicle_item = merge(local.common_attributes, local.prediction_attributes, local.expires, {
    outcome       = { S = "recorded" }
    class         = { S = "{% $states.input.class %}" }
    probabilities = { M = "{% $merge($states.input.predictions.{ class: { 'N': $string($round(probability, 6)) } }) %}" }
  })

  put_item = {
    Type           = "Task"
    QueryLanguage  = "JSONata"
    Resource       = "arn:${local.partition}:states:::dynamodb:putItem"
    TimeoutSeconds = local.task_timeout
    Output         = "{% $states.input %}"
  }

  # put_new_item and put_new_item_arguments: fields of a state that writes an object version's item only if no other
  # execution or state has written the item. A failed condition is not retried.
  put_new_item = merge(local.put_item, {
    Retry = concat([{ ErrorEquals = ["DynamoDB.ConditionalCheckFailedException"], MaxAttempts = 0 }], local.long_retry)
  })
  # The condition allows a state to overwrite the item that it wrote itself, because a first attempt may write the item
  # although its response is lost.
  put_new_item_arguments = {
    TableName           = var.vehicles_table
    ConditionExpression = "attribute_not_exists(image) OR (execution = :execution AND outcome = :outcome)"
  }
  # Values of the placeholders in ConditionExpression, by the outcome that a state writes
  condition_values = {
    for outcome in ["superseded", "review"] :
    outcome => { ":execution" = local.common_attributes.execution, ":outcome" = { S = outcome } }
  }

  record_states = {
    IsEvent = {
      Type    = "Choice"
      Choices = [{ Variable = "$from_event", BooleanEquals = true, Next = "RecordVehicle" }]
      Default = "Record"
    }

    # The course's input format has no object version, so classifying the same key again overwrites the item
    Record = merge(local.put_item, {
      Arguments = {
        TableName = var.vehicles_table
        Item      = merge(local.vehicle_item, { version = { S = "latest" } })
      }
      Retry = local.long_retry
      Catch = local.jsonata_catch
      End   = true
    })

    # One transaction writes both the object version's item and the driver's item, or neither of them. It is cancelled
    # if the object version already has an item, or if the driver's item describes a newer photograph.
    RecordVehicle = {
      Type           = "Task"
      QueryLanguage  = "JSONata"
      Resource       = "arn:${local.partition}:states:::aws-sdk:dynamodb:transactWriteItems"
      TimeoutSeconds = local.task_timeout
      Arguments = {
        # identical in all attempts of the state, so that DynamoDB runs the transaction only once
        ClientRequestToken = "{% $hash($states.context.Execution.Id & $states.context.State.EnteredTime, 'MD5') %}"
        TransactItems = [
          {
            Put = {
              TableName           = var.vehicles_table
              ConditionExpression = "attribute_not_exists(image)"
              Item                = merge(local.vehicle_item, local.event_attributes)
            }
          },
          {
            Put = {
              TableName                 = var.drivers_table
              ConditionExpression       = "attribute_not_exists(driver) OR photograph_order < :photograph_order"
              ExpressionAttributeValues = { ":photograph_order" = { S = "{% $photograph_order %}" } }
              Item = merge(local.common_attributes, local.prediction_attributes, local.event_attributes, local.expires, {
                vehicle          = { S = "{% $states.input.class %}" }
                photograph_order = { S = "{% $photograph_order %}" }
              })
            }
          },
        ]
      }
      Output = "{% $states.input %}"
      Retry  = concat([{ ErrorEquals = ["DynamoDb.TransactionCanceledException"], MaxAttempts = 0 }], local.long_retry)
      Catch = concat([{
        ErrorEquals = ["DynamoDb.TransactionCanceledException"]
        Assign      = { cancellation = "{% $states.errorOutput %}" }
        Output      = "{% $states.input %}"
        Next        = "Cancelled"
      }], local.jsonata_catch)
      End = true
    }

    # DynamoDB's error message lists one reason per item, in the order of TransactItems, such as
    # [ConditionalCheckFailed, None]:
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#API_TransactWriteItems_Errors
    Cancelled = {
      Type          = "Choice"
      QueryLanguage = "JSONata"
      Choices = [
        { Condition = "{% $contains($cancellation.Cause, '[ConditionalCheckFailed,') %}", Next = "AlreadyClassified", Output = "{% $states.input %}" },
        { Condition = "{% $contains($cancellation.Cause, /TransactionConflict|ThrottlingError|ProvisionedThroughputExceeded/) %}", Next = "WaitForDriver", Output = "{% $states.input %}" },
        { Condition = "{% $contains($cancellation.Cause, ', ConditionalCheckFailed]') %}", Next = "RecordSuperseded", Output = "{% $states.input %}" },
      ]
      Default = "CountFailure"
      Output  = "{% $cancellation %}"
    }
    # Another transaction is writing the driver's item, or DynamoDB throttles this transaction
    WaitForDriver = {
      Type          = "Wait"
      QueryLanguage = "JSONata"
      Seconds       = "{% 1 + $floor($random() * 5) %}"
      Next          = "RecordVehicle"
    }
    RecordSuperseded = merge(local.put_new_item, {
      Arguments = merge(local.put_new_item_arguments, {
        ExpressionAttributeValues = local.condition_values["superseded"]
        Item                      = merge(local.vehicle_item, local.event_attributes, { outcome = { S = "superseded" } })
      })
      Catch = concat([{
        ErrorEquals = ["DynamoDB.ConditionalCheckFailedException"]
        Output      = "{% $states.input %}"
        Next        = "AlreadyClassified"
      }], local.jsonata_catch)
      End = true
    })
  }
}
