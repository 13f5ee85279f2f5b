# An execution's input has the course's input format (`image_data`, `s3_bucket`, `s3_key`), or it is an S3 event, which
# EventBridge passes on unchanged:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
# A Choice state cannot catch errors, so no JSON input may cause an error in a condition. The conditions use JSONata:
# https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html
locals {
  object = "$states.input.detail.object"

  conditions = {
    event = "$exists($states.input.detail) or $exists($states.input.`detail-type`)"
    s3_event = join(" and ", [
      "$type($states.input) = 'object'",
      "$states.input.source = 'aws.s3'",
      "$states.input.`detail-type` = 'Object Created'",
      "$states.input.detail.bucket.name = '${var.bucket_name}'",
      "$type(${local.object}.key) = 'string'",
      "$type(${local.object}.`version-id`) = 'string'",
      "$type(${local.object}.size) = 'number'",
      "$type($states.input.time) = 'string'",
      "$contains($string($states.input.time), /^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$/)", # strings in this format sort by time
    ])
    key = join(" and ", [
      "$contains($string(${local.object}.key), /^${var.incoming_prefix}\\/[A-Za-z0-9][A-Za-z0-9._-]{0,63}\\/[^\\/]/)",
      "$not($contains($string(${local.object}.key), /\\/\\.\\.(\\/|$)/))",
    ])
  }

  event_states = {
    Input = {
      Type          = "Choice"
      QueryLanguage = "JSONata"
      Choices = [
        {
          Condition = "{% ${local.conditions.s3_event} and ${local.conditions.key} %}"
          Next      = "FindItem"
          Assign = {
            from_event   = true
            image        = "{% 's3://${var.bucket_name}/' & ${local.object}.key %}"
            key          = "{% ${local.object}.key %}"
            version      = "{% ${local.object}.`version-id` %}"
            size         = "{% ${local.object}.size %}"
            driver       = "{% $split(${local.object}.key, '/')[1] %}"
            photographed = "{% $states.input.time %}"
            # sorts a driver's photographs by time, then by key and version
            photograph_order = "{% $join([$states.input.time, ${local.object}.key, ${local.object}.`version-id`], '#') %}"
          }
          Output = {
            image_data = ""
            s3_bucket  = var.bucket_name
            s3_key     = "{% ${local.object}.key %}"
            s3_version = "{% ${local.object}.`version-id` %}"
          }
        },
        {
          Condition = "{% ${local.conditions.s3_event} %}"
          Next      = "CountFailure"
          Assign    = { from_event = false, image = "{% 's3://${var.bucket_name}/' & ${local.object}.key %}" }
          Output = {
            Error = "KeyInvalidError"
            Cause = "{% 'the key must be ${var.incoming_prefix}/<driver>/<name>, where <driver> has at most 64 letters, digits, dots, dashes and underscores, and no segment of the key is .. (got ' & ${local.object}.key & ')' %}"
          }
        },
        {
          Condition = "{% ${local.conditions.event} %}"
          Next      = "CountFailure"
          Assign    = { from_event = false, image = "no image" }
          Output = {
            Error = "EventInvalidError"
            Cause = "{% 'the event must be an S3 Object Created event for the bucket ${var.bucket_name}, with time, key, version-id and size (got ' & $substring($string($states.input), 0, 1000) & ')' %}"
          }
        },
      ]
      Assign  = { from_event = false, image = "{% $exists($states.input.s3_key) ? 's3://' & $states.input.s3_bucket & '/' & $states.input.s3_key : 'no image' %}" }
      Default = "Serialize"
    }

    # EventBridge may deliver an event more than once, so the table may already have an item for this object version
    FindItem = {
      Type           = "Task"
      QueryLanguage  = "JSONata"
      Resource       = "arn:${local.partition}:states:::dynamodb:getItem"
      TimeoutSeconds = local.task_timeout
      Arguments = {
        TableName      = var.vehicles_table
        Key            = { image = { S = "{% $image %}" }, version = { S = "{% $version %}" } }
        ConsistentRead = true
      }
      Assign = { found = "{% $exists($states.result.Item) %}" }
      Output = "{% $states.input %}"
      Retry  = local.long_retry
      Catch  = local.jsonata_catch
      Next   = "IsFound"
    }
    IsFound = {
      Type    = "Choice"
      Choices = [{ Variable = "$found", BooleanEquals = true, Next = "AlreadyClassified" }]
      Default = "Serialize"
    }
    AlreadyClassified = { Type = "Succeed" }
  }
}
