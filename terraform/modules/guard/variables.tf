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

variable "endpoint_hours" {
  description = "Hours after its creation at which the endpoint is deleted; null for never."
  type        = number
}

variable "idle_hours" {
  description = "Hours without a request after which the endpoint counts as idle."
  type        = number
}

variable "budget_usd" {
  description = "US dollars that the environment may cost a month."
  type        = number
}

variable "topic_arn" {
  description = "Topic that is told of alarms."
  type        = string
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds what the role may do at most; null for none."
  type        = string
}
