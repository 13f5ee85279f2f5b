variable "bucket_name" {
  description = "Name of the S3 bucket that contains the images and the results."
  type        = string
}

variable "image_prefixes" {
  description = "Key prefixes of images, without a trailing slash. A batch execution may list only objects below them."
  type        = list(string)
}

variable "batch_prefix" {
  description = "Key prefix of results, and of manifests below `manifests/`, without a trailing slash."
  type        = string
}

variable "function_arns" {
  description = "Function ARNs, by purpose; at least classify_batch and summarize."
  type        = map(string)

  validation {
    condition     = length(setsubtract(["classify_batch", "summarize"], keys(var.function_arns))) == 0
    error_message = "function_arns must have the keys classify_batch and summarize (got ${join(", ", keys(var.function_arns))})."
  }
}

# Limits: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
variable "settings" {
  description = "Images per batch, batches that run at the same time, and the percentage of images in failed batches above which the execution fails."
  type = object({
    batch_size                   = optional(number, 100)
    max_concurrency              = optional(number, 8)
    tolerated_failure_percentage = optional(number, 5)
  })
  default  = {}
  nullable = false

  validation {
    # one invocation of classify_batch, which takes two minutes at most, classifies a batch
    condition     = contains(range(1, 257), var.settings.batch_size)
    error_message = "batch_size must be a whole number from 1 to 256 (got ${var.settings.batch_size})."
  }

  validation {
    condition     = contains(range(1, 1001), var.settings.max_concurrency)
    error_message = "max_concurrency must be a whole number from 1 to 1000 (got ${var.settings.max_concurrency})."
  }

  validation {
    condition     = var.settings.tolerated_failure_percentage >= 0 && var.settings.tolerated_failure_percentage <= 100
    error_message = "tolerated_failure_percentage must be 0 to 100 (got ${var.settings.tolerated_failure_percentage})."
  }
}
