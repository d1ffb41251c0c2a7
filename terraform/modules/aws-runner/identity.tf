# The function's own role watches: it reads, and it keeps the log. What changes anything else is behind another role.
# Policies are written with jsonencode, so that a plan shows them whole and a test can hold them against what is used.

locals {
  watch_policy = {
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Log"
          Effect   = "Allow"
          Action   = ["dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
          Resource = local.table_arns
        },
        {
          # Lambda makes up the streams' names.
          Sid      = "Said"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/aws/lambda/${var.name}:log-stream:*"]
        },
      ],
      [for one in var.watch_statements : { Sid = one.sid, Effect = "Allow", Action = one.actions, Resource = one.resources }],
      length(local.execute_arns) == 0 ? [] : [
        {
          Sid      = "Execute"
          Effect   = "Allow"
          Action   = ["sts:AssumeRole"]
          Resource = local.execute_arns
        },
      ],
    )
  }

  execute_name = "${var.name}-execute"
  execute_arns = concat(
    length(var.execute_statements) == 0 ? [] : ["arn:${local.partition}:iam::${local.account}:role/${local.execute_name}"],
    sort(var.execute_roles),
  )
}

resource "aws_iam_role" "watch" {
  name        = "${var.name}-watch"
  description = "cloudfail's function: reads, keeps the log, and may assume the roles that execute."
  tags        = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "watch" {
  name   = "watch"
  role   = aws_iam_role.watch.name
  policy = jsonencode(local.watch_policy)
}

resource "aws_iam_role" "execute" {
  count = length(var.execute_statements) > 0 ? 1 : 0

  name        = local.execute_name
  description = "What carrying out a plan of cloudfail's may change."
  tags        = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = aws_iam_role.watch.arn }
    }]
  })
}

resource "aws_iam_role_policy" "execute" {
  count = length(aws_iam_role.execute)

  name = "execute"
  role = aws_iam_role.execute[0].name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for one in var.execute_statements : { Sid = one.sid, Effect = "Allow", Action = one.actions, Resource = one.resources }]
  })
}

resource "aws_iam_role" "schedule" {
  name        = "${var.name}-schedule"
  description = "The schedule that calls cloudfail's function."
  tags        = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = {
        StringEquals = {
          "aws:SourceAccount" = local.account
          "aws:SourceArn"     = "arn:${local.partition}:scheduler:${var.region}:${local.account}:schedule-group/${var.name}"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  name = "call"
  role = aws_iam_role.schedule.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Call"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = [local.function_arn]
    }]
  })
}
