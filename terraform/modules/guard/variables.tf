variable "prefix" {
  description = "First part of every name, scones-<environment>."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "A prefix is 2 to 23 lower-case letters, digits and dashes, such as scones-dev: every name begins with it."
  }
}

variable "partition" {
  description = "AWS partition, such as aws."
  type        = string
}

variable "endpoint_name" {
  description = "Name of the endpoint."
  type        = string
}

variable "endpoint_arn" {
  description = "ARN of the endpoint; nothing is read of it while there is none."
  type        = string
}

variable "variant_name" {
  description = "Production variant behind the endpoint; null while there is none."
  type        = string
}

variable "on_instances" {
  description = "Whether instances run behind the endpoint: a serverless one costs nothing while nobody asks, and is never idle."
  type        = bool
}

variable "endpoint_hours" {
  description = "Hours after its creation at which the endpoint is deleted; null for never."
  type        = number

  validation {
    condition     = var.endpoint_hours == null || try(var.endpoint_hours > 0 && floor(var.endpoint_hours) == var.endpoint_hours, false)
    error_message = "An endpoint lives for a whole number of hours, one at least, or for ever (null)."
  }
}

variable "idle_hours" {
  description = "Hours without a request after which the endpoint counts as idle."
  type        = number

  validation {
    condition     = contains(range(1, 25), var.idle_hours)
    error_message = "CloudWatch looks at most a day back: idleness counts in whole hours, from 1 to 24."
  }
}

variable "budget_usd" {
  description = "US dollars that the environment may cost a month."
  type        = number

  validation {
    condition     = var.budget_usd > 0
    error_message = "A budget is more than 0 US dollars a month."
  }
}

variable "topic_arn" {
  description = "Topic that is told of alarms."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.+$", var.topic_arn))
    error_message = "A topic is named by its ARN: arn:aws:sns:<region>:<account>:<name>."
  }
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds what the role may do at most; null for none."
  type        = string
}
