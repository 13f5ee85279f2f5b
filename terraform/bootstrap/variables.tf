variable "repository" {
  description = "GitHub repository whose workflows may deploy, as owner/name, or as owner@id/name@id where its tokens say so."
  type        = string

  # https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]*(/[A-Za-z0-9._-]+|@[0-9]+/[A-Za-z0-9._-]+@[0-9]+)$", var.repository))
    error_message = "The repository is owner/name, as in its address on GitHub, or owner@id/name@id, as its tokens name one that was made or renamed since July 2026."
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

  validation {
    condition     = length(setintersection(var.environments, ["boundary", "deploy", "plan", "state"])) == 0
    error_message = "No environment is called boundary, deploy, plan or state: what is laid here begins with scones- and these words."
  }
}

variable "oidc_provider_arn" {
  description = "ARN of GitHub's OpenID Connect provider, where the account has one already; null to make it."
  type        = string
  default     = null

  validation {
    condition     = var.oidc_provider_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.oidc_provider_arn))
    error_message = "The provider's ARN is arn:aws:iam::<account>:oidc-provider/token.actions.githubusercontent.com."
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
