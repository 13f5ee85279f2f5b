output "resource_id" {
  description = "What is scaled, as Application Auto Scaling names it; null where nothing is."
  value       = one(aws_appautoscaling_target.this[*].resource_id)
}
