variable "name" {
  description = "Name of the state machine, as its messages have it."
  type        = string

  validation {
    # https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html, and the subject of a message
    condition     = can(regex("^[A-Za-z0-9_-]{1,80}$", var.name))
    error_message = "A state machine's name has 1 to 80 letters, digits, dashes and underscores."
  }
}

variable "function_arns" {
  description = "ARNs of the functions serialize, classify and filter, by name."
  type        = map(string)

  validation {
    condition     = length(setsubtract(["serialize", "classify", "filter"], keys(var.function_arns))) == 0
    error_message = "Name the functions serialize, classify and filter."
  }
}

variable "table_name" {
  description = "Table in which vehicles are recorded."
  type        = string
}

variable "topic_arn" {
  description = "Topic that is told of failed executions."
  type        = string
}

variable "metrics_namespace" {
  description = "Namespace of the metric that counts failures by name."
  type        = string
}
