variable "prefix" {
  description = "Prefix of resource names, such as scones-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "prefix must be 2 to 23 lower-case letters, digits and dashes, starting with a letter, such as scones-dev (got ${var.prefix})."
  }
}

variable "email" {
  description = "E-mail address to subscribe to the topic; null for none."
  type        = string

  validation {
    condition     = var.email == null || can(regex("^[^@\\s]+@[^@\\s]+$", var.email))
    error_message = "email must be an e-mail address (got ${jsonencode(var.email)})."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the topic's messages. A message about a failed execution may quote the input."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be a key ARN, arn:aws:kms:<region>:<account>:key/<id>, and not an alias or a key ID (got ${var.kms_key_arn})."
  }
}
