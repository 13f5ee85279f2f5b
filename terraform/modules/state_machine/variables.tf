variable "name" {
  description = "Name of the state machine and its role, such as scones-dev-workflow."
  type        = string

  validation {
    # the name of an IAM role has at most 64 characters: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 letters, digits, dashes and underscores, such as scones-dev-workflow (got ${var.name})."
  }
}

variable "definition" {
  description = "State machine definition in JSON."
  type        = string
}

variable "policy" {
  description = "IAM policy in JSON with the permissions that the states need. The module adds the permissions for logs and traces."
  type        = string
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps logs."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the logs."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be a key ARN, arn:aws:kms:<region>:<account>:key/<id>, and not an alias or a key ID (got ${var.kms_key_arn})."
  }
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of the role; null for none."
  type        = string
}
