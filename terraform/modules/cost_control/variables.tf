variable "prefix" {
  description = "Prefix of resource names, such as scones-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "prefix must be 2 to 23 lower-case letters, digits and dashes, starting with a letter, such as scones-dev (got ${var.prefix})."
  }
}

variable "partition" {
  description = "AWS partition, such as aws."
  type        = string
}

variable "endpoint_name" {
  description = "Endpoint name."
  type        = string
}

variable "endpoint_arn" {
  description = "Endpoint ARN. The endpoint need not exist yet."
  type        = string
}

variable "variant_name" {
  description = "Name of the production variant; null while there is no endpoint."
  type        = string
}

variable "instance_based" {
  description = "Whether the endpoint runs on instances. A serverless endpoint costs nothing without requests, so it has no idle alarm."
  type        = bool
}

variable "endpoint_hours" {
  description = "Hours after which the endpoint is deleted; null keeps it."
  type        = number

  validation {
    condition     = var.endpoint_hours == null || try(var.endpoint_hours > 0 && floor(var.endpoint_hours) == var.endpoint_hours, false)
    error_message = "endpoint_hours must be a whole number of at least 1, or null (got ${jsonencode(var.endpoint_hours)})."
  }
}

variable "deployment_timeout_seconds" {
  description = "Seconds after which a deployment times out. The schedule retries the deletion for longer than that."
  type        = number

  validation {
    condition     = var.deployment_timeout_seconds >= 600 && var.deployment_timeout_seconds <= 3600
    error_message = "deployment_timeout_seconds must be 600 to 3600 (got ${var.deployment_timeout_seconds})."
  }
}

variable "lifetime_path" {
  description = "SSM parameter path below which the parameter `interval` contains the start and end of the endpoint's lifetime."
  type        = string
}

variable "idle_hours" {
  description = "Number of hours without a request, while instances run, after which the idle alarm goes into ALARM."
  type        = number

  validation {
    condition     = contains(range(1, 25), var.idle_hours)
    error_message = "idle_hours must be a whole number from 1 to 24, because an alarm evaluates one day at most (got ${var.idle_hours})."
  }
}

variable "budget_usd" {
  description = "Monthly budget of the environment in US dollars."
  type        = number

  validation {
    condition     = var.budget_usd > 0
    error_message = "budget_usd must be above 0 (got ${var.budget_usd})."
  }
}

variable "topic_arn" {
  description = "ARN of the SNS topic to which the alarms and the budget publish."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.+$", var.topic_arn))
    error_message = "topic_arn must be an SNS topic ARN, arn:aws:sns:<region>:<account>:<name> (got ${var.topic_arn})."
  }
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of the role; null for none."
  type        = string
}
