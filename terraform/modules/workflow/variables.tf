variable "prefix" {
  description = "First part of every name, scones-<environment>."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "A prefix is 2 to 23 lower-case letters, digits and dashes, such as scones-dev: every name begins with it."
  }
}

variable "function_arns" {
  description = "ARNs of the functions serialize, classify and filter, by name."
  type        = map(string)
}

variable "table_name" {
  description = "Table in which vehicles are recorded."
  type        = string
}

variable "table_arn" {
  description = "ARN of that table."
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

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Key that encrypts the table, the topic and the logs."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "A key is named by its ARN, arn:aws:kms:<region>:<account>:key/<id>, not by an alias or an id alone."
  }
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds what the roles may do at most; null for none."
  type        = string
}
