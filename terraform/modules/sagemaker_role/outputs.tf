output "arn" {
  description = "Role ARN, available once the policy is attached."
  value       = aws_iam_role.this.arn

  depends_on = [aws_iam_role_policy.this]
}
