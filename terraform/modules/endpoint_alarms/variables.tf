variable "endpoint_name" {
  description = "Name of the endpoint to monitor; prefix of the alarm names."
  type        = string
}

variable "variant_name" {
  description = "Name of the production variant to monitor. The old and the new model have the same variant name."
  type        = string
}

variable "latency_limit_ms" {
  description = "Maximum 99th percentile of the model's latency in milliseconds."
  type        = number

  validation {
    condition     = var.latency_limit_ms > 0
    error_message = "latency_limit_ms must be above 0 (got ${var.latency_limit_ms})."
  }
}

variable "period_seconds" {
  description = "Period of the alarms in seconds."
  type        = number

  validation {
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html
    condition     = contains([10, 30], var.period_seconds) || try(var.period_seconds % 60 == 0 && var.period_seconds > 0, false)
    error_message = "period_seconds must be 10, 30 or a multiple of 60 (got ${var.period_seconds})."
  }
}

variable "topic_arn" {
  description = "ARN of the SNS topic to which the alarms publish."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.+$", var.topic_arn))
    error_message = "topic_arn must be an SNS topic ARN, arn:aws:sns:<region>:<account>:<name> (got ${var.topic_arn})."
  }
}
