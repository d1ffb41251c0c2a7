# Two alarms say that the runner has not run, from two places, and no data is the worst of news.
#
# The first stands where the function runs: metrics do not leave their region. It counts invocations that did not fail,
# so a function that fails each time is one that does not run.
#
# The second stands where the table is asked first, which is not lost together with the function: each tick reads the
# log, and nobody having read it is what a schedule that has stopped, or a region that is gone, looks like from there.

resource "aws_cloudwatch_metric_alarm" "not_run" {
  region              = var.region
  alarm_name          = "${var.name}-not-run"
  alarm_description   = "cloudfail has had no tick that came through for ${var.silent_minutes} minutes. Nobody watches. See /aws/lambda/${var.name}, and run cloudfail check from a terminal."
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = var.silent_minutes
  datapoints_to_alarm = var.silent_minutes
  treat_missing_data  = "breaching"
  alarm_actions       = var.notify[var.region]
  ok_actions          = var.notify[var.region]
  tags                = var.tags

  metric_query {
    id          = "through"
    label       = "Ticks that came through"
    expression  = "invocations - errors"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { invocations = "Invocations", errors = "Errors" }

    content {
      id          = metric_query.key
      return_data = false

      metric {
        namespace   = "AWS/Lambda"
        metric_name = metric_query.value
        dimensions  = { FunctionName = var.name }
        period      = 60
        stat        = "Sum"
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "log_not_read" {
  region              = var.store.regions[0]
  alarm_name          = "${var.name}-${var.region}-log-not-read"
  alarm_description   = "Nobody has read cloudfail's log for ${var.silent_minutes} minutes: its runner in ${var.region} does not run, or cannot reach ${local.table}. Nobody watches."
  namespace           = "AWS/DynamoDB"
  metric_name         = "SuccessfulRequestLatency"
  dimensions          = { TableName = local.table, Operation = "Query" }
  statistic           = "SampleCount"
  period              = 60
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = var.silent_minutes
  datapoints_to_alarm = var.silent_minutes
  treat_missing_data  = "breaching"
  alarm_actions       = var.notify[var.store.regions[0]]
  ok_actions          = var.notify[var.store.regions[0]]
  tags                = var.tags
}
