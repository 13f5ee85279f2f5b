variable "prefix" {
  description = "First part of every name, scones-<environment>."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "A prefix is 2 to 23 lower-case letters, digits and dashes, such as scones-dev: every name begins with it."
  }
}

variable "region" {
  description = "AWS region of the metrics."
  type        = string
}

variable "namespace" {
  description = "Namespace of the metrics that the workflow puts itself."
  type        = string
}

variable "state_machine_arn" {
  description = "ARN of the state machine."
  type        = string
}

variable "function_names" {
  description = "Names of the functions serialize, classify and filter, by what they do."
  type        = map(string)
}

variable "filter_log_group" {
  description = "Log group of the function filter, which logs each confidence."
  type        = string
}

variable "endpoint_name" {
  description = "Name of the endpoint; it may not be there yet."
  type        = string
}

variable "threshold" {
  description = "Probability that the best class must reach."
  type        = number
}

variable "topic_arn" {
  description = "Topic that is told of alarms."
  type        = string
}
