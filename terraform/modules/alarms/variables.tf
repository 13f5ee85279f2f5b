variable "endpoint_name" {
  description = "Endpoint that the alarms watch; the first part of their names."
  type        = string
}

variable "variant_name" {
  description = "Production variant that the alarms watch, of the old and the new model alike."
  type        = string
}

variable "latency_limit_ms" {
  description = "Milliseconds within which a model answers 99 of 100 requests."
  type        = number
}

variable "period_seconds" {
  description = "Seconds over which the alarms count."
  type        = number
}
