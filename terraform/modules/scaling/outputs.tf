output "resource_id" {
  description = "Application Auto Scaling's ID of the scalable target; null if scaling is disabled."
  value       = one(aws_appautoscaling_target.this[*].resource_id)
}
