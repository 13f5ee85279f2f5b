output "config_name" {
  description = "Configuration that the endpoint must serve; null before the first approved model."
  value       = one(aws_sagemaker_endpoint_configuration.this[*].name)
}

output "alarm_names" {
  description = "Alarms that roll a deployment back."
  value       = values(aws_cloudwatch_metric_alarm.this)[*].alarm_name
}
