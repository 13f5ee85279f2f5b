variable "environment" {
  description = "Name of the environment; part of every resource's name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "The environment must be 2 to 10 lower-case letters and digits, a letter first."
  }

  validation {
    condition     = !contains(["boundary", "deploy", "plan", "state"], var.environment)
    error_message = "The environment must not be boundary, deploy, plan or state: terraform/bootstrap has names that begin so."
  }
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "us-east-1"
}

variable "classes" {
  description = "Names of 2 to 100 fine or 2 to 20 coarse classes of CIFAR-100 to tell apart; a class's number is its position here."
  type        = list(string)
  default     = ["bicycle", "motorcycle"]

  validation {
    condition     = length(var.classes) >= 2 && length(var.classes) <= 100
    error_message = "Name 2 to 100 classes."
  }

  validation {
    condition     = length(distinct(var.classes)) == length(var.classes)
    error_message = "A class may be named only once."
  }
}

variable "threshold" {
  description = "Probability that the best class must reach; an execution below it fails."
  type        = number
  default     = 0.93

  validation {
    condition     = var.threshold > 0 && var.threshold < 1
    error_message = "The threshold must lie between 0 and 1."
  }
}

variable "minimum_accuracy" {
  description = "Accuracy on the validation rows below which no model is approved."
  type        = number
  default     = 0.8

  validation {
    condition     = var.minimum_accuracy >= 0 && var.minimum_accuracy < 1
    error_message = "The accuracy bar must be at least 0 and below 1."
  }
}

variable "approval" {
  description = "Who approves a model that passed the judge: automatic, or manual (a person, by `make approve`)."
  type        = string
  default     = "manual"

  validation {
    condition     = contains(["automatic", "manual"], var.approval)
    error_message = "Approval is automatic or manual."
  }
}

variable "training_instance_type" {
  description = "Instance type of training jobs; with several GPUs, one process trains on each (in a search, on the first alone)."
  type        = string
  default     = "ml.m5.xlarge"

  validation {
    condition     = can(regex("^ml\\.[a-z][a-z0-9-]*\\.[a-z0-9]+$", var.training_instance_type))
    error_message = "An instance type has SageMaker's three parts, as in ml.m5.xlarge."
  }
}

variable "built_in_instance_type" {
  description = "Instance type of the built-in algorithm's training jobs, which need a GPU."
  type        = string
  default     = "ml.g4dn.xlarge"

  validation {
    condition     = can(regex("^ml\\.(p2|p3|g4dn|g5)\\.[a-z0-9]+$", var.built_in_instance_type))
    error_message = "The built-in algorithm trains on GPU instances alone, of ml.p2, p3, g4dn or g5."
  }
}

variable "training_instance_count" {
  description = "Hosts of a training job; with more than one they train one model together."
  type        = number
  default     = 1

  validation {
    condition     = var.training_instance_count >= 1 && floor(var.training_instance_count) == var.training_instance_count
    error_message = "A training job needs a whole number of hosts, one at least."
  }
}

variable "training_spot" {
  description = "Whether training jobs run on spot instances: for less, and interrupted at times."
  type        = bool
  default     = false
}

variable "endpoint_instance_type" {
  description = "Instance type behind the endpoint; billed by the hour, asked or not."
  type        = string
  default     = "ml.m5.xlarge"

  validation {
    condition     = can(regex("^ml\\.[a-z][a-z0-9-]*\\.[a-z0-9]+$", var.endpoint_instance_type))
    error_message = "An instance type has SageMaker's three parts, as in ml.m5.xlarge."
  }
}

variable "endpoint_instance_count" {
  description = "Instances behind the endpoint."
  type        = number
  default     = 1

  validation {
    condition     = var.endpoint_instance_count >= 1 && floor(var.endpoint_instance_count) == var.endpoint_instance_count
    error_message = "The endpoint needs a whole number of instances, one at least."
  }
}

variable "endpoint_max_instance_count" {
  description = "Most instances behind the endpoint, which then scales with its load from endpoint_instance_count on; null for no scaling."
  type        = number
  default     = null

  validation {
    condition     = var.endpoint_max_instance_count == null || try(var.endpoint_max_instance_count > var.endpoint_instance_count && floor(var.endpoint_max_instance_count) == var.endpoint_max_instance_count, false)
    error_message = "The endpoint scales to a whole number of instances, more than endpoint_instance_count."
  }
}

variable "endpoint_concurrent_requests" {
  description = "Requests at once that an instance of the endpoint is to have; more bring another instance."
  type        = number
  default     = 5

  validation {
    condition     = var.endpoint_concurrent_requests > 0
    error_message = "An instance is to have more than no request at once."
  }
}

variable "serverless" {
  description = "Memory in MB and most requests at once of a serverless endpoint, which costs nothing while nobody asks; null for one on instances."
  type = object({
    memory_size_in_mb = number
    max_concurrency   = number
  })
  default = null

  validation {
    condition     = var.serverless == null || var.capture_percentage == 0
    error_message = "A serverless endpoint captures no data: set capture_percentage = 0 beside serverless, or leave serverless out."
  }

  validation {
    condition     = var.serverless == null || var.endpoint_max_instance_count == null
    error_message = "A serverless endpoint has no instances to scale: leave endpoint_max_instance_count out."
  }

  validation {
    condition     = var.serverless == null || try(contains([1024, 2048, 3072, 4096, 5120, 6144], var.serverless.memory_size_in_mb), false)
    error_message = "A serverless endpoint has 1024, 2048, 3072, 4096, 5120 or 6144 MB of memory."
  }

  validation {
    condition     = var.serverless == null || try(var.serverless.max_concurrency >= 1 && var.serverless.max_concurrency <= 200, false)
    error_message = "A serverless endpoint answers 1 to 200 requests at once."
  }
}

# Bounds: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_BlueGreenUpdatePolicy.html
variable "deployment" {
  description = "How a new model takes over: the percentage of the traffic it gets first, the seconds for which alarms watch each of the two steps, for which the old instances stay on, and after which it is given up, and over which the alarms count."
  type = object({
    canary_percent           = optional(number, 10)
    wait_seconds             = optional(number, 300)
    termination_wait_seconds = optional(number, 120)
    timeout_seconds          = optional(number, 1800)
    alarm_period_seconds     = optional(number, 60)
  })
  default = {}

  validation {
    condition     = var.deployment.canary_percent >= 1 && var.deployment.canary_percent <= 50
    error_message = "A canary gets 1 to 50 percent of the traffic."
  }

  validation {
    condition     = min(var.deployment.wait_seconds, var.deployment.termination_wait_seconds) >= 0 && max(var.deployment.wait_seconds, var.deployment.termination_wait_seconds) <= 3600
    error_message = "A deployment's waits are 0 to 3600 seconds."
  }

  validation {
    condition     = var.deployment.timeout_seconds >= 600 && var.deployment.timeout_seconds <= 28800
    error_message = "A deployment is given up after 600 to 28800 seconds."
  }

  validation {
    condition     = var.deployment.timeout_seconds > 2 * var.deployment.wait_seconds + var.deployment.termination_wait_seconds
    error_message = "A deployment waits twice for wait_seconds and once for termination_wait_seconds: timeout_seconds must be more than all of it."
  }

  validation {
    condition     = contains([10, 30], var.deployment.alarm_period_seconds) || var.deployment.alarm_period_seconds % 60 == 0 && var.deployment.alarm_period_seconds > 0
    error_message = "Alarms count over 10, 30 or whole minutes of seconds."
  }
}

variable "latency_limit_ms" {
  description = "Milliseconds within which a model answers 99 of 100 requests; a new one that does not is rolled back."
  type        = number
  default     = 1000

  validation {
    condition     = var.latency_limit_ms > 0
    error_message = "A model needs some time to answer."
  }
}

variable "endpoint_hours" {
  description = "Hours after its creation at which the endpoint is deleted, until the next `make deploy`; null for never."
  type        = number
  default     = null

  validation {
    condition     = var.endpoint_hours == null || try(var.endpoint_hours > 0 && floor(var.endpoint_hours) == var.endpoint_hours, false)
    error_message = "The endpoint lives for a whole number of hours, one at least, or for ever (null)."
  }
}

variable "idle_hours" {
  description = "Hours without a request after which the endpoint counts as idle."
  type        = number
  default     = 3

  validation {
    # CloudWatch evaluates at most a day: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    condition     = contains(range(1, 25), var.idle_hours)
    error_message = "Idleness counts in whole hours, from 1 to 24."
  }
}

variable "budget_usd" {
  description = "US dollars that the environment may cost a month; alarms call at 80 and 100 percent."
  type        = number
  default     = 50

  validation {
    condition     = var.budget_usd > 0
    error_message = "A budget is more than 0 US dollars a month."
  }
}

variable "capture_percentage" {
  description = "Share of the endpoint's requests whose data is captured, in percent."
  type        = number
  default     = 100

  validation {
    condition     = var.capture_percentage >= 0 && var.capture_percentage <= 100 && floor(var.capture_percentage) == var.capture_percentage
    error_message = "The share of captured requests is a whole number from 0 to 100 percent."
  }
}

variable "capture_retention_days" {
  description = "Days after which captured data is deleted; null keeps it."
  type        = number
  default     = 30

  validation {
    condition     = var.capture_retention_days == null || try(var.capture_retention_days >= 1 && floor(var.capture_retention_days) == var.capture_retention_days, false)
    error_message = "Captured data is kept for a whole number of days, one at least."
  }
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, ... days."
  }
}

variable "protected" {
  description = "Whether data is protected from destruction: a bucket that is not empty stays, and so does the table."
  type        = bool
  default     = true
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds what every role may do at most; null for none. terraform/bootstrap makes one."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary))
    error_message = "A permissions boundary is the ARN of an IAM policy: arn:aws:iam::<account>:policy/<name>."
  }
}

variable "key_users" {
  description = "ARNs, with `*` for a part of a name, of the people's roles or users that may read and write data with the environment's key, beside the environment's own roles; null for all in the account whom their policies allow it."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for user in coalesce(var.key_users, []) : can(regex("^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:[a-z-]+/.+$", user))])
    error_message = "Whoever uses the key is named by an ARN, arn:aws:iam::<account>:role/<name>; `*` stands for a part of the name alone."
  }
}

variable "vpc_cidr" {
  description = "Addresses of a VPC without a way to the internet, in which functions, jobs and the endpoint run, their containers cut off from any network; null for none. A model must be trained anew for it: it brings its packages along."
  type        = string
  default     = null

  validation {
    condition     = var.vpc_cidr == null || can(cidrnetmask(var.vpc_cidr)) && try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 27, false)
    error_message = "A VPC's addresses are an IPv4 range of /16 to /27, such as 10.0.0.0/24."
  }

  validation {
    condition     = var.vpc_cidr == null || var.serverless == null
    error_message = "A serverless endpoint runs in no VPC: leave vpc_cidr or serverless out."
  }
}

variable "failure_email" {
  description = "Address that is told of failed executions; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.failure_email == null || can(regex("^[^@\\s]+@[^@\\s]+$", var.failure_email))
    error_message = "This is no e-mail address."
  }
}

variable "lambda_archives" {
  description = "Folder with the functions' zips, which `make lambdas` builds; relative to this module."
  type        = string
  default     = "../build/lambdas"
}

variable "provider_max_retries" {
  description = "How often the provider repeats a request that AWS throttled or failed."
  type        = number
  default     = 25

  validation {
    condition     = var.provider_max_retries >= 0 && floor(var.provider_max_retries) == var.provider_max_retries
    error_message = "Requests are repeated a whole number of times, from 0 on."
  }
}

variable "provider_path_style" {
  description = "Whether AWS answers at one address only: buckets in the path, no instance metadata."
  type        = bool
  default     = false
}
