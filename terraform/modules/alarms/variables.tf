variable "endpoint_name" {
  description = "Endpoint that the alarms watch; the first part of their names."
  type        = string
}

variable "variant_name" {
  description = "Production variant that the alarms watch, of the old and the new model alike."
  type        = string
}

variable "latency_limit_ms" {
  description = "Milliseconds within which a model answers 99 of 100 requests."
  type        = number

  validation {
    condition     = var.latency_limit_ms > 0
    error_message = "A model needs some time to answer."
  }
}

variable "period_seconds" {
  description = "Seconds over which the alarms count."
  type        = number

  validation {
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html
    condition     = contains([10, 30], var.period_seconds) || try(var.period_seconds % 60 == 0 && var.period_seconds > 0, false)
    error_message = "An alarm counts over 10, 30 or whole minutes of seconds."
  }
}

variable "topic_arn" {
  description = "Topic that is told when an alarm goes off."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.+$", var.topic_arn))
    error_message = "A topic is named by its ARN: arn:aws:sns:<region>:<account>:<name>."
  }
}
