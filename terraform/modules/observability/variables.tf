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

  validation {
    condition     = can(regex("^[0-9A-Za-z._/#:-]{1,255}$", var.namespace)) && !startswith(var.namespace, "AWS/")
    error_message = "A namespace has 1 to 255 letters, digits and signs of ._/#:-, and AWS/ is not ours."
  }
}

variable "state_machine_arn" {
  description = "ARN of the state machine."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:stateMachine:.+$", var.state_machine_arn))
    error_message = "A state machine is named by its ARN: metrics of another name would be none, and no alarm would ever go off."
  }
}

variable "function_names" {
  description = "Names of the functions serialize, classify and filter, by what they do."
  type        = map(string)

  validation {
    condition     = length(setsubtract(["serialize", "classify", "filter"], keys(var.function_names))) == 0
    error_message = "Name the functions serialize, classify and filter."
  }
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

  validation {
    condition     = var.threshold > 0 && var.threshold < 1
    error_message = "The threshold must lie between 0 and 1."
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
