variable "environment" {
  description = "Environment name; part of every resource name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "environment must be 2 to 10 lower-case letters and digits, starting with a letter (got ${var.environment})."
  }

  validation {
    condition     = !contains(["boundary", "deploy", "plan", "state"], var.environment)
    error_message = "environment must not be boundary, deploy, plan or state (got ${var.environment}): terraform/bootstrap uses these words in resource names."
  }
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "us-east-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+(-[a-z]+)+-[0-9]+$", var.region))
    error_message = "region must be an AWS region such as us-east-1 (got ${jsonencode(var.region)})."
  }

  validation {
    condition     = !startswith(var.region, "us-gov-")
    error_message = "region must not be a region of AWS GovCloud (US), where AWS Budgets does not exist (got ${jsonencode(var.region)})."
  }
}

variable "classes" {
  description = "Names of the classes: 2 to 100 fine classes or 2 to 20 coarse classes of CIFAR-100, or 2 to 100 sub-folders of a folder of images. The position in the list is the class index."
  type        = list(string)
  default     = ["bicycle", "motorcycle"]
  nullable    = false

  validation {
    condition     = length(var.classes) >= 2 && length(var.classes) <= 100
    error_message = "classes must have 2 to 100 names (got ${length(var.classes)})."
  }

  validation {
    condition     = length(distinct(var.classes)) == length(var.classes)
    error_message = "classes must not contain a name twice (got ${jsonencode(var.classes)})."
  }

  validation {
    condition     = alltrue([for name in var.classes : can(regex("^[^,']+$", name))])
    error_message = "classes must be names without commas and apostrophes, such as bicycle (got ${jsonencode(var.classes)}). A training job gets the names as one hyperparameter, which the SageMaker SDK writes between apostrophes into a shell script."
  }

  # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
  validation {
    condition     = try(length(join(",", var.classes)) <= 2500, true)
    error_message = "classes must have at most 2500 characters, including a comma between two names (got ${try(length(join(",", var.classes)), 0)}): a training job gets the names as one hyperparameter, and SageMaker limits its length."
  }
}

variable "threshold" {
  description = "Minimum confidence (the highest class probability of an image). Executions with a lower confidence fail."
  type        = number
  default     = 0.93
  nullable    = false

  validation {
    condition     = var.threshold > 0 && var.threshold < 1
    error_message = "threshold must be between 0 and 1 (got ${var.threshold})."
  }
}

variable "zones" {
  description = "Zone (near or far) in which the vehicle of each class delivers, and the zone's radius in km, for dispatch."
  type        = map(object({ zone = string, radius_km = number }))
  default = {
    bicycle      = { zone = "near", radius_km = 3 }
    tractor      = { zone = "near", radius_km = 5 }
    motorcycle   = { zone = "far", radius_km = 10 }
    bus          = { zone = "far", radius_km = 15 }
    pickup_truck = { zone = "far", radius_km = 25 }
  }
  nullable = false

  validation {
    condition     = alltrue([for zone in values(var.zones) : contains(["near", "far"], zone.zone)])
    error_message = "zones must have the zone near or far, such as { bicycle = { zone = \"near\", radius_km = 3 } } (got ${jsonencode(var.zones)})."
  }

  validation {
    condition     = alltrue([for zone in values(var.zones) : try(zone.radius_km > 0, false)])
    error_message = "zones must have a radius_km above 0, such as { bicycle = { zone = \"near\", radius_km = 3 } } (got ${jsonencode(var.zones)})."
  }
}

variable "minimum_accuracy" {
  description = "Minimum accuracy on the validation set. The quality gate rejects models with a lower accuracy."
  type        = number
  default     = 0.8
  nullable    = false

  validation {
    condition     = var.minimum_accuracy >= 0 && var.minimum_accuracy < 1
    error_message = "minimum_accuracy must be at least 0 and below 1 (got ${var.minimum_accuracy})."
  }
}

variable "approval" {
  description = "How a model that passed the quality gate is approved: automatic, or manual (`make approve`)."
  type        = string
  default     = "manual"
  nullable    = false

  validation {
    condition     = contains(["automatic", "manual"], var.approval)
    error_message = "approval must be automatic or manual (got ${var.approval})."
  }
}

variable "training_instance_type" {
  description = "Instance type of PyTorch training jobs. On an instance with several GPUs, a training job runs one process per GPU, and a tuning job uses the first GPU only."
  type        = string
  default     = "ml.m5.xlarge"
  nullable    = false

  validation {
    condition     = can(regex("^ml\\.[a-z][a-z0-9-]*\\.[a-z0-9]+$", var.training_instance_type))
    error_message = "training_instance_type must be a SageMaker instance type such as ml.m5.xlarge (got ${var.training_instance_type})."
  }

  # The training image contains CUDA 13, which supports no GPU older than Turing:
  # https://docs.nvidia.com/cuda/archive/13.0.0/cuda-toolkit-release-notes/index.html
  validation {
    condition     = !can(regex("^ml\\.p[23]\\.", var.training_instance_type))
    error_message = "training_instance_type must not be of the families ml.p2 and ml.p3, whose GPUs AWS's image of PyTorch 2.10 does not support: use ml.g4dn.xlarge, for instance (got ${var.training_instance_type})."
  }
}

variable "built_in_instance_type" {
  description = "Instance type of training jobs of the built-in image classification algorithm, which requires a GPU."
  type        = string
  default     = "ml.g4dn.xlarge"
  nullable    = false

  validation {
    condition     = can(regex("^ml\\.(p2|p3|g4dn|g5)\\.[a-z0-9]+$", var.built_in_instance_type))
    error_message = "built_in_instance_type must be a GPU instance of the ml.p2, ml.p3, ml.g4dn or ml.g5 family (got ${var.built_in_instance_type})."
  }
}

variable "training_instance_count" {
  description = "Number of instances of a training job. Several instances train one model together."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.training_instance_count >= 1 && floor(var.training_instance_count) == var.training_instance_count
    error_message = "training_instance_count must be a whole number of at least 1 (got ${var.training_instance_count})."
  }
}

variable "training_spot" {
  description = "Whether training jobs run on spot instances, which cost less and may be interrupted."
  type        = bool
  default     = false
  nullable    = false
}

variable "endpoint_instance_type" {
  description = "Instance type of the endpoint, billed by the hour even without requests."
  type        = string
  default     = "ml.m5.xlarge"
  nullable    = false

  validation {
    condition     = can(regex("^ml\\.[a-z][a-z0-9-]*\\.[a-z0-9]+$", var.endpoint_instance_type))
    error_message = "endpoint_instance_type must be a SageMaker instance type such as ml.m5.xlarge (got ${var.endpoint_instance_type})."
  }
}

variable "endpoint_instance_count" {
  description = "Number of endpoint instances; the minimum if the endpoint scales."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.endpoint_instance_count >= 1 && floor(var.endpoint_instance_count) == var.endpoint_instance_count
    error_message = "endpoint_instance_count must be a whole number of at least 1 (got ${var.endpoint_instance_count})."
  }
}

variable "endpoint_max_instance_count" {
  description = "Maximum number of endpoint instances. With load, the endpoint scales between endpoint_instance_count and this number; null disables scaling."
  type        = number
  default     = null

  validation {
    condition     = var.endpoint_max_instance_count == null || try(var.endpoint_max_instance_count > var.endpoint_instance_count && floor(var.endpoint_max_instance_count) == var.endpoint_max_instance_count, false)
    error_message = "endpoint_max_instance_count must be a whole number above endpoint_instance_count (got ${jsonencode(var.endpoint_max_instance_count)})."
  }
}

variable "endpoint_live_instance_count" {
  description = "Current number of instances of a scaling endpoint, which a deployment keeps. The make targets set it for each plan; null deploys endpoint_instance_count instances."
  type        = number
  default     = null
}

variable "endpoint_concurrent_requests" {
  description = "Target number of concurrent requests per endpoint instance. If there are more, scaling adds instances."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.endpoint_concurrent_requests > 0
    error_message = "endpoint_concurrent_requests must be above 0 (got ${var.endpoint_concurrent_requests})."
  }
}

variable "serverless" {
  description = "Memory in MB and maximum number of concurrent requests of a serverless endpoint, which costs nothing without requests; null for an endpoint on instances."
  type = object({
    memory_size_in_mb = number
    max_concurrency   = number
  })
  default = null

  validation {
    condition     = var.serverless == null || var.capture_percentage == 0
    error_message = "A serverless endpoint captures no data: set capture_percentage = 0 (got ${var.capture_percentage}), or leave serverless unset."
  }

  validation {
    condition     = var.serverless == null || var.endpoint_max_instance_count == null
    error_message = "A serverless endpoint has no instances to scale: leave endpoint_max_instance_count unset (got ${jsonencode(var.endpoint_max_instance_count)})."
  }

  validation {
    condition     = var.serverless == null || try(contains([1024, 2048, 3072, 4096, 5120, 6144], var.serverless.memory_size_in_mb), false)
    error_message = "serverless.memory_size_in_mb must be 1024, 2048, 3072, 4096, 5120 or 6144 (got ${jsonencode(var.serverless)})."
  }

  validation {
    condition     = var.serverless == null || try(var.serverless.max_concurrency >= 1 && var.serverless.max_concurrency <= 200, false)
    error_message = "serverless.max_concurrency must be 1 to 200 (got ${jsonencode(var.serverless)})."
  }
}

# Limits: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_BlueGreenUpdatePolicy.html
variable "deployment" {
  description = "How a deployment shifts traffic to a new model: the canary's share of the new instances in percent, the seconds for which alarms watch each of the two steps, the seconds before the old instances are terminated, the seconds after which the deployment times out, and the alarms' period in seconds."
  type = object({
    canary_percent           = optional(number, 10)
    wait_seconds             = optional(number, 300)
    termination_wait_seconds = optional(number, 120)
    timeout_seconds          = optional(number, 1800)
    alarm_period_seconds     = optional(number, 60)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.deployment.canary_percent >= 1 && var.deployment.canary_percent <= 50
    error_message = "deployment.canary_percent must be 1 to 50 (got ${var.deployment.canary_percent})."
  }

  validation {
    condition     = min(var.deployment.wait_seconds, var.deployment.termination_wait_seconds) >= 0 && max(var.deployment.wait_seconds, var.deployment.termination_wait_seconds) <= 3600
    error_message = "deployment.wait_seconds and deployment.termination_wait_seconds must be 0 to 3600 (got ${var.deployment.wait_seconds} and ${var.deployment.termination_wait_seconds})."
  }

  validation {
    condition     = var.deployment.timeout_seconds >= 600 && var.deployment.timeout_seconds <= 3600
    error_message = "deployment.timeout_seconds must be 600 to 3600, because Terraform's provider waits for a deployment for one hour at most (got ${var.deployment.timeout_seconds})."
  }

  validation {
    condition     = var.deployment.timeout_seconds > 2 * var.deployment.wait_seconds + var.deployment.termination_wait_seconds
    error_message = "deployment.timeout_seconds must be above ${2 * var.deployment.wait_seconds + var.deployment.termination_wait_seconds}, which is twice wait_seconds plus termination_wait_seconds (got ${var.deployment.timeout_seconds})."
  }

  validation {
    condition     = contains([10, 30], var.deployment.alarm_period_seconds) || var.deployment.alarm_period_seconds % 60 == 0 && var.deployment.alarm_period_seconds > 0
    error_message = "deployment.alarm_period_seconds must be 10, 30 or a multiple of 60 (got ${var.deployment.alarm_period_seconds})."
  }
}

variable "latency_limit_ms" {
  description = "Maximum 99th percentile of the model's latency in milliseconds. If two of three periods of the latency alarm exceed it, the alarm goes into ALARM, and a running deployment is rolled back. A serverless endpoint has no alarms."
  type        = number
  default     = 1000
  nullable    = false

  validation {
    condition     = var.latency_limit_ms > 0
    error_message = "latency_limit_ms must be above 0 (got ${var.latency_limit_ms})."
  }
}

variable "endpoint_hours" {
  description = "Hours after which the endpoint is deleted; null keeps it. `make deploy` creates a deleted endpoint again, for the same number of hours."
  type        = number
  default     = null

  validation {
    condition     = var.endpoint_hours == null || try(var.endpoint_hours > 0 && floor(var.endpoint_hours) == var.endpoint_hours, false)
    error_message = "endpoint_hours must be a whole number of at least 1, or null (got ${jsonencode(var.endpoint_hours)})."
  }
}

variable "idle_hours" {
  description = "Number of hours without a request, while instances run, after which the idle alarm goes into ALARM."
  type        = number
  default     = 3
  nullable    = false

  validation {
    # An alarm evaluates one day at most: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    condition     = contains(range(1, 25), var.idle_hours)
    error_message = "idle_hours must be a whole number from 1 to 24 (got ${var.idle_hours})."
  }
}

variable "budget_usd" {
  description = "Monthly budget of the environment in US dollars, with notifications at 80 and 100 percent of actual costs and at 100 percent of forecasted costs."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.budget_usd > 0
    error_message = "budget_usd must be above 0 (got ${var.budget_usd})."
  }
}

variable "capture_percentage" {
  description = "Percentage of the endpoint's requests that data capture records; 0 disables data capture."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.capture_percentage >= 0 && var.capture_percentage <= 100 && floor(var.capture_percentage) == var.capture_percentage
    error_message = "capture_percentage must be a whole number from 0 to 100 (got ${var.capture_percentage})."
  }
}

variable "capture_retention_days" {
  description = "Days after which captured data, access logs and old versions of other objects are deleted; null keeps them. If photo_retention_days is set, old versions of the personal data in S3 are deleted after one day."
  type        = number
  default     = 30

  validation {
    condition     = var.capture_retention_days == null || try(var.capture_retention_days >= 1 && floor(var.capture_retention_days) == var.capture_retention_days, false)
    error_message = "capture_retention_days must be a whole number of at least 1, or null (got ${jsonencode(var.capture_retention_days)})."
  }
}

variable "batch" {
  description = "Batch executions: images per batch (100), batches that run at the same time (8), and the percentage of images in failed batches above which the execution fails (5)."
  type = object({
    batch_size                   = optional(number)
    max_concurrency              = optional(number)
    tolerated_failure_percentage = optional(number)
  })
  default  = {}
  nullable = false
}

variable "photo_retention_days" {
  description = "Days after which drivers' photographs, uploads, review entries, reviewers' answers, batch results and the items in DynamoDB are deleted, because these are personal data; null keeps them."
  type        = number
  default     = 30

  validation {
    condition     = var.photo_retention_days == null || try(var.photo_retention_days >= 1 && floor(var.photo_retention_days) == var.photo_retention_days, false)
    error_message = "photo_retention_days must be a whole number of at least 1, or null (got ${jsonencode(var.photo_retention_days)})."
  }
}

variable "drift_schedule" {
  description = "When the captured images are compared with the baseline of the model in use, as a schedule expression of EventBridge Scheduler in UTC; null for never. A model of the built-in algorithm has no baseline, so there is no comparison."
  type        = string
  default     = "cron(0 6 * * ? *)"

  validation {
    condition     = var.drift_schedule == null || can(regex("^(rate\\([1-9][0-9]* (minute|hour|day)s?\\)|cron\\([^)]+\\))$", var.drift_schedule))
    error_message = "drift_schedule must be a schedule expression, such as rate(1 day) or cron(0 6 * * ? *), or null (got ${jsonencode(var.drift_schedule)})."
  }
}

variable "drift_window_hours" {
  description = "Length in hours of the period whose captured images a drift job compares with the baseline."
  type        = number
  default     = 24
  nullable    = false

  validation {
    condition     = var.drift_window_hours >= 1 && var.drift_window_hours <= 720 && floor(var.drift_window_hours) == var.drift_window_hours
    error_message = "drift_window_hours must be a whole number from 1 to 720 (got ${var.drift_window_hours})."
  }
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps logs."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs supports: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 (got ${var.log_retention_days})."
  }
}

variable "protected" {
  description = "Whether `terraform destroy` fails instead of deleting the DynamoDB tables, or the data bucket if it is not empty."
  type        = bool
  default     = true
  nullable    = false
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of every role, such as the one that terraform/bootstrap creates; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary))
    error_message = "permissions_boundary must be an IAM policy ARN, arn:aws:iam::<account>:policy/<name> (got ${jsonencode(var.permissions_boundary)})."
  }
}

variable "key_users" {
  description = "ARNs of the users and roles, besides the environment's own roles and its deployment role, that may read and write data with the environment's KMS key; names may contain `*`. null allows every principal of the account whose IAM policies permit it."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for user in coalesce(var.key_users, []) : can(regex("^arn:aws[a-z-]*:(iam::[0-9]{12}:(user|role)|sts::[0-9]{12}:federated-user)/.+$", user))])
    error_message = "key_users must be ARNs of users or roles, such as arn:aws:iam::<account>:role/<name>, with `*` only in the name; for an assumed role, use the role's ARN (got ${jsonencode(var.key_users)})."
  }
}

variable "vpc_cidr" {
  description = "CIDR block of a VPC without internet access for functions, jobs and the endpoint, whose containers then run in network isolation; null for no VPC. Models must be trained again after this is set, because an isolated container needs its packages in model.tar.gz."
  type        = string
  default     = null

  validation {
    condition     = var.vpc_cidr == null || can(cidrnetmask(var.vpc_cidr)) && try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 27, false)
    error_message = "vpc_cidr must be an IPv4 CIDR block of /16 to /27, such as 10.0.0.0/24 (got ${jsonencode(var.vpc_cidr)})."
  }

  validation {
    condition     = var.vpc_cidr == null || var.serverless == null
    error_message = "A serverless endpoint cannot run in a VPC: leave vpc_cidr or serverless unset."
  }
}

variable "bundle_packages" {
  description = "Whether training jobs and models contain their Python packages. If false, containers install the packages from a package index at every start, except with vpc_cidr or serverless, which always bundle the packages. Models must be trained again after this is set to true."
  type        = bool
  default     = false
}

variable "failure_email" {
  description = "E-mail address that receives notifications of failed executions, alarms and the budget; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.failure_email == null || can(regex("^[^@\\s]+@[^@\\s]+$", var.failure_email))
    error_message = "failure_email must be an e-mail address (got ${jsonencode(var.failure_email)})."
  }
}

variable "lambda_archives" {
  description = "Directory of the zip files that `make lambdas` builds, relative to this module."
  type        = string
  default     = "../build/lambdas"
  nullable    = false
}

variable "provider_max_retries" {
  description = "How often the provider retries a request that AWS throttled or that failed with a server error."
  type        = number
  default     = 25
  nullable    = false

  validation {
    condition     = var.provider_max_retries >= 0 && floor(var.provider_max_retries) == var.provider_max_retries
    error_message = "provider_max_retries must be a whole number of at least 0 (got ${var.provider_max_retries})."
  }
}

variable "provider_path_style" {
  description = "Whether the provider uses path-style S3 URLs and skips the instance metadata API. A custom AWS endpoint requires both."
  type        = bool
  default     = false
  nullable    = false
}
