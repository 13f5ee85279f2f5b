variable "prefix" {
  description = "Prefix of resource names, such as scones-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "prefix must be 2 to 23 lower-case letters, digits and dashes, starting with a letter, such as scones-dev (got ${var.prefix})."
  }
}

variable "region" {
  description = "AWS region of the metrics on the dashboard."
  type        = string
}

variable "namespace" {
  description = "CloudWatch namespace of the workflow's own metrics."
  type        = string

  validation {
    condition     = can(regex("^[0-9A-Za-z._/#:-]{1,255}$", var.namespace)) && !startswith(var.namespace, "AWS/")
    error_message = "namespace must be 1 to 255 letters, digits and characters of ._/#:-, and must not start with AWS/ (got ${var.namespace})."
  }
}

variable "state_machine_arn" {
  description = "State machine ARN."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:stateMachine:.+$", var.state_machine_arn))
    error_message = "state_machine_arn must be arn:aws:states:<region>:<account>:stateMachine:<name>, or the alarms would find no metrics (got ${var.state_machine_arn})."
  }
}

variable "batch_arn" {
  description = "ARN of the state machine that classifies many images per execution."
  type        = string
}

variable "function_names" {
  description = "Function names, by purpose; at least serialize, classify and filter."
  type        = map(string)

  validation {
    condition     = length(setsubtract(["serialize", "classify", "filter"], keys(var.function_names))) == 0
    error_message = "function_names must have the keys serialize, classify and filter (got ${join(", ", keys(var.function_names))})."
  }
}

variable "filter_log_group" {
  description = "Name of the log group of filter, which logs the confidence of each image."
  type        = string
}

variable "endpoint_name" {
  description = "Endpoint name. The endpoint need not exist yet."
  type        = string
}

variable "threshold" {
  description = "Minimum confidence, shown on the dashboard."
  type        = number

  validation {
    condition     = var.threshold > 0 && var.threshold < 1
    error_message = "threshold must be between 0 and 1 (got ${var.threshold})."
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

variable "environment" {
  description = "Environment name, which the `make` command in notifications contains."
  type        = string
}

variable "incoming_rule_name" {
  description = "Name of the EventBridge rule that starts an execution for each photograph."
  type        = string
}

variable "undelivered_queue_arn" {
  description = "ARN of the SQS queue for events that EventBridge cannot deliver."
  type        = string
}

variable "undelivered_queue_name" {
  description = "Name of the SQS queue for events that EventBridge cannot deliver."
  type        = string
}
