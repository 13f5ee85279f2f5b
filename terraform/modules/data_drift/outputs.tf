output "request" {
  description = "JSON request of CreateProcessingJob, in which EventBridge Scheduler replaces the words in angle brackets; null if there is no drift job."
  value       = local.request_json
}
