variable "repository" {
  description = "GitHub repository whose workflows may deploy, as owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", var.repository))
    error_message = "The repository is owner/name, as in its address on GitHub."
  }
}

variable "environments" {
  description = "Environments of this account, each with a deployment role that the GitHub environment of the same name takes on."
  type        = set(string)
  default     = ["dev", "prod"]

  validation {
    condition     = length(var.environments) > 0 && alltrue([for name in var.environments : can(regex("^[a-z][a-z0-9]{1,9}$", name))])
    error_message = "An environment's name has 2 to 10 lower-case letters and digits, a letter first."
  }
}

variable "region" {
  description = "AWS region of the state, and of what is deployed."
  type        = string
  default     = "us-east-1"
}

variable "provider_path_style" {
  description = "Whether AWS answers at one address only: buckets in the path, no instance metadata."
  type        = bool
  default     = false
}
