output "request" {
  description = "JSON request of CreateProcessingJob, in which EventBridge Scheduler replaces the words in angle brackets; null without a job."
  value       = local.request_json
}
