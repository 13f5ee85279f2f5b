variable "repository" {
  description = "GitHub repository whose workflows may deploy: owner/name, or owner@id/name@id if its OIDC tokens contain immutable IDs."
  type        = string

  # https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]*(/[A-Za-z0-9._-]+|@[0-9]+/[A-Za-z0-9._-]+@[0-9]+)$", var.repository))
    error_message = "repository must be owner/name, or owner@id/name@id for a repository that was created or renamed since July 2026 (got ${var.repository})."
  }
}

variable "environments" {
  description = "Environments in this account. Each has a deployment role, which jobs in the GitHub environment with the same name assume."
  type        = set(string)
  default     = ["dev", "prod"]

  validation {
    condition     = length(var.environments) > 0 && alltrue([for name in var.environments : can(regex("^[a-z][a-z0-9]{1,9}$", name))])
    error_message = "environments must be names of 2 to 10 lower-case letters and digits, starting with a letter (got ${jsonencode(var.environments)})."
  }

  validation {
    condition     = length(setintersection(var.environments, ["boundary", "deploy", "plan", "state"])) == 0
    error_message = "environments must not contain boundary, deploy, plan or state, which this module uses in resource names (got ${jsonencode(var.environments)})."
  }
}

variable "oidc_provider_arn" {
  description = "ARN of GitHub's OpenID Connect provider if the account already has one; null creates the provider."
  type        = string
  default     = null

  validation {
    condition     = var.oidc_provider_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.oidc_provider_arn))
    error_message = "oidc_provider_arn must be arn:aws:iam::<account>:oidc-provider/token.actions.githubusercontent.com (got ${jsonencode(var.oidc_provider_arn)})."
  }
}

variable "region" {
  description = "AWS region of the state bucket and of the environments."
  type        = string
  default     = "us-east-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+(-[a-z]+)+-[0-9]+$", var.region))
    error_message = "region must be an AWS region such as us-east-1 (got ${jsonencode(var.region)})."
  }
}

variable "provider_path_style" {
  description = "Whether the provider uses path-style S3 URLs and skips the instance metadata API. A custom AWS endpoint requires both."
  type        = bool
  default     = false
}
