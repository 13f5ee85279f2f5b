variable "name" {
  description = "Endpoint name; prefix of the model's name."
  type        = string

  validation {
    # the model's name adds the version and a unique suffix to this name, and may have 63 characters
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$", var.name))
    error_message = "name must be 1 to 30 lower-case letters, digits and dashes, without a dash at the start or the end (got ${var.name})."
  }
}

variable "model_package_arn" {
  description = "ARN of the approved model package; null before the first approval."
  type        = string

  validation {
    condition     = var.model_package_arn == null || can(regex("^arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:[0-9]{12}:model-package/[^/]+/[0-9]+$", var.model_package_arn))
    error_message = "model_package_arn must be arn:aws:sagemaker:<region>:<account>:model-package/<group>/<version> (got ${jsonencode(var.model_package_arn)})."
  }
}

variable "bucket_arn" {
  description = "ARN of the S3 bucket that contains models and captured data."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::[a-z0-9.-]+$", var.bucket_arn))
    error_message = "bucket_arn must be an S3 bucket ARN, arn:aws:s3:::<name> (got ${var.bucket_arn})."
  }
}

variable "models_prefix" {
  description = "Key prefix of models."
  type        = string
}

variable "data_capture_prefix" {
  description = "Key prefix of captured data."
  type        = string
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the bucket and, except on instances with local NVMe storage, the endpoint's volumes."
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

variable "network" {
  description = "Subnets and security groups of the model's VPC, and the JSON policy that the model's role needs in the VPC; the container then runs in network isolation. null for no VPC."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
    policy             = string
  })
  default = null
}

variable "bundle_packages" {
  description = "Whether the model's archive contains its Python packages, so that the container does not contact a package index when it starts."
  type        = bool
  default     = false
}

variable "serverless" {
  description = "Whether a serverless endpoint serves the model."
  type        = bool
  default     = false
}
