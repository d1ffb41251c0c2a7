output "state" {
  description = "What to write as `state:` into cloudfail.yaml."
  value       = local.state
}

output "function_arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.runner.arn
}

output "watch_role_arn" {
  description = "ARN of the function's role: what other accounts' executing roles trust."
  value       = aws_iam_role.watch.arn
}

output "execute_role_arns" {
  description = "ARNs of the roles that the function may assume to carry out a plan."
  value       = local.execute_arns
}

output "table_arns" {
  description = "ARN of the table in each of its regions."
  value       = local.table_arns
}

output "alarm_arns" {
  description = "ARNs of the alarms that say that the runner has not run."
  value       = [aws_cloudwatch_metric_alarm.not_run.arn, aws_cloudwatch_metric_alarm.log_not_read.arn]
}
