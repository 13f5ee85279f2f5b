variable "name" {
  description = "Name of the state machine, for the subject of notifications."
  type        = string

  validation {
    # https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html; the subject is limited to ASCII too
    condition     = can(regex("^[A-Za-z0-9_-]{1,80}$", var.name))
    error_message = "name must be 1 to 80 letters, digits, dashes and underscores (got ${var.name})."
  }
}

variable "function_arns" {
  description = "Function ARNs, by purpose: serialize, classify and filter."
  type        = map(string)

  validation {
    condition     = length(setsubtract(["serialize", "classify", "filter"], keys(var.function_arns))) == 0
    error_message = "function_arns must have the keys serialize, classify and filter (got ${join(", ", keys(var.function_arns))})."
  }
}

variable "table_name" {
  description = "Name of the DynamoDB table of classified vehicles."
  type        = string
}

variable "topic_arn" {
  description = "ARN of the SNS topic for failed executions."
  type        = string
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of the failure metrics."
  type        = string
}
