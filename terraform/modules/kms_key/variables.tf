variable "prefix" {
  description = "Prefix of resource names, such as scones-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "prefix must be 2 to 23 lower-case letters, digits and dashes, starting with a letter, such as scones-dev (got ${var.prefix})."
  }
}

variable "deletion_window_in_days" {
  description = "Days for which a deleted key, and with it the encrypted data, can be recovered."
  type        = number

  validation {
    condition     = var.deletion_window_in_days >= 7 && var.deletion_window_in_days <= 30
    error_message = "deletion_window_in_days must be 7 to 30 (got ${var.deletion_window_in_days})."
  }
}

variable "users" {
  description = "ARNs of the users and roles that may use the key if their IAM policy also allows it; names may contain `*`. null allows every principal of the account whose IAM policy allows it."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for user in coalesce(var.users, []) : can(regex("^arn:aws[a-z-]*:(iam::[0-9]{12}:(user|role)|sts::[0-9]{12}:federated-user)/.+$", user))])
    error_message = "users must be ARNs of users or roles, such as arn:aws:iam::<account>:role/<name>, with `*` only in the name; for an assumed role, use the role's ARN (got ${jsonencode(var.users)})."
  }
}

variable "administrators" {
  description = "ARNs of existing roles that may administer the key even if their IAM policy does not allow it. If `users` is null or contains such a role, the role also needs no IAM policy to use the key through S3, DynamoDB, SNS and SageMaker."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.administrators : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[^*]+$", arn))])
    error_message = "administrators must be role ARNs, arn:aws:iam::<account>:role/<name>, without `*` (got ${jsonencode(var.administrators)})."
  }
}
