data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account      = data.aws_caller_identity.current.account_id
  partition    = data.aws_partition.current.partition
  function_arn = "arn:${local.partition}:lambda:${var.region}:${local.account}:function:${var.name}"
}

resource "aws_cloudwatch_log_group" "runner" {
  region            = var.region
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_days
  tags              = var.tags
}

# One at a time: of two ticks one would only find the lease taken.
resource "aws_lambda_function" "runner" {
  region                         = var.region
  function_name                  = var.name
  description                    = "cloudfail: watches, decides, and carries on what is open."
  role                           = aws_iam_role.watch.arn
  filename                       = var.archive
  source_code_hash               = filebase64sha256(var.archive)
  runtime                        = "python${var.python}"
  handler                        = "cloudfail.entrypoints.aws_lambda.handler"
  architectures                  = [var.architecture]
  memory_size                    = var.memory_mb
  timeout                        = 60
  reserved_concurrent_executions = 1
  tags                           = var.tags

  dynamic "environment" {
    for_each = length(var.environment) > 0 ? [var.environment] : []

    content {
      variables = environment.value
    }
  }

  lifecycle {
    precondition {
      condition     = filesha256(var.archive) == var.archive_sha256
      error_message = "${var.archive} is not the archive whose SHA-256 is ${var.archive_sha256}."
    }
  }

  depends_on = [aws_cloudwatch_log_group.runner, aws_iam_role_policy.watch]
}

# A tick that failed is not tried again, and one that waited is dropped: the next minute brings the next.
resource "aws_lambda_function_event_invoke_config" "runner" {
  region                       = var.region
  function_name                = aws_lambda_function.runner.function_name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}

resource "aws_scheduler_schedule_group" "runner" {
  region = var.region
  name   = var.name
  tags   = var.tags
}

resource "aws_scheduler_schedule" "tick" {
  region              = var.region
  name                = "${var.name}-tick"
  group_name          = aws_scheduler_schedule_group.runner.name
  description         = "One tick of cloudfail."
  schedule_expression = "rate(1 minute)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.runner.arn
    role_arn = aws_iam_role.schedule.arn

    retry_policy {
      maximum_retry_attempts       = 0
      maximum_event_age_in_seconds = 60
    }
  }

  depends_on = [aws_iam_role_policy.schedule]
}

resource "aws_cloudwatch_event_rule" "alarm" {
  count = length(var.wake_on_alarms) > 0 ? 1 : 0

  region      = var.region
  name        = "${var.name}-alarm"
  description = "Alarms that wake cloudfail before its next minute."
  tags        = var.tags

  event_pattern = jsonencode({
    source      = ["aws.cloudwatch"]
    detail-type = ["CloudWatch Alarm State Change"]
    resources   = sort(var.wake_on_alarms)
    detail      = { state = { value = ["ALARM"] } }
  })
}

resource "aws_cloudwatch_event_target" "alarm" {
  count = length(aws_cloudwatch_event_rule.alarm)

  region = var.region
  rule   = aws_cloudwatch_event_rule.alarm[0].name
  arn    = aws_lambda_function.runner.arn
}

resource "aws_lambda_permission" "alarm" {
  count = length(aws_cloudwatch_event_rule.alarm)

  region        = var.region
  statement_id  = "alarm"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.runner.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.alarm[0].arn
}
