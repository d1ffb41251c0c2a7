locals {
  table      = coalesce(var.store.table, var.name)
  table_arns = [for region in var.store.regions : "arn:${local.partition}:dynamodb:${region}:${local.account}:table/${local.table}"]
  spans      = length(var.store.regions) > 1
  state = format(
    "dynamodb://%s?%s=%s",
    local.table,
    local.spans ? "regions" : "region",
    join(",", var.store.regions),
  )
}

# The log. Entries are never deleted: no TTL, and what would delete the table is refused.
resource "aws_dynamodb_table" "log" {
  count = var.store.create ? 1 : 0

  region                      = var.store.regions[0]
  name                        = local.table
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "log"
  range_key                   = "seq"
  deletion_protection_enabled = true
  tags                        = var.tags

  attribute {
    name = "log"
    type = "S"
  }

  attribute {
    name = "seq"
    type = "N"
  }

  point_in_time_recovery {
    enabled = true
  }

  dynamic "replica" {
    for_each = slice(var.store.regions, 1, length(var.store.regions))

    content {
      region_name                 = replica.value
      consistency_mode            = "STRONG"
      point_in_time_recovery      = true
      deletion_protection_enabled = true
      propagate_tags              = true
    }
  }

  dynamic "global_table_witness" {
    for_each = compact([var.store.witness])

    content {
      region_name = global_table_witness.value
    }
  }
}
