variable "prefix" {
  description = "First part of every name, scones-<environment>."
  type        = string
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

variable "failure_email" {
  description = "Address that is told of failed executions; null for none."
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
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds what the roles may do at most; null for none."
  type        = string
}
