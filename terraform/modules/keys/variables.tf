variable "prefix" {
  description = "First part of every name, scones-<environment>."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "A prefix is 2 to 23 lower-case letters, digits and dashes, such as scones-dev: every name begins with it."
  }
}

variable "deletion_window_in_days" {
  description = "Days in which a destroyed key, and with it what it encrypted, can still be brought back."
  type        = number

  validation {
    condition     = var.deletion_window_in_days >= 7 && var.deletion_window_in_days <= 30
    error_message = "KMS keeps a key for 7 to 30 days."
  }
}

variable "users" {
  description = "ARNs, with `*` for a part, of the roles and people whom the key may be used by, if a policy of theirs names it too; null for all of the account."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for user in coalesce(var.users, []) : can(regex("^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:[a-z-]+/.+$", user))])
    error_message = "Whoever uses the key is named by an ARN, arn:aws:iam::<account>:role/<name>; `*` stands for a part of the name alone."
  }
}
