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
