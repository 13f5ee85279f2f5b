variable "bucket_name" {
  description = "Name of the bucket."
  type        = string
}

variable "table_name" {
  description = "Name of the table of vehicles."
  type        = string
}

variable "data_capture_key" {
  description = "First part of the keys of captured data."
  type        = string
}

variable "capture_retention_days" {
  description = "Days after which captured data, and old versions of anything, are deleted; null keeps them."
  type        = number
}

variable "protected" {
  description = "Whether a bucket that is not empty, and the table, are kept from destruction."
  type        = bool
}
