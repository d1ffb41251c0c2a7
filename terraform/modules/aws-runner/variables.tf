variable "name" {
  description = "What the function, its roles, its schedule and its table are called, and what they begin with."
  type        = string
  default     = "cloudfail"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,39}$", var.name))
    error_message = "A name begins with a small letter and has 3 to 40 small letters, digits and dashes."
  }
}

variable "region" {
  description = "Where the function runs: best where nobody evacuates. In a watched region it goes with that, so deploy a second runner elsewhere, on the same table."
  type        = string
}

variable "watched_regions" {
  description = "Every region that cloudfail.yaml names, and which may be evacuated."
  type        = set(string)

  validation {
    condition     = length(var.watched_regions) > 0
    error_message = "Name the regions of cloudfail.yaml: without them nothing tells whether the store outlives them."
  }
}

variable "archive" {
  description = "Path of the archive that `cloudfail package aws` wrote."
  type        = string
}

variable "archive_sha256" {
  description = "SHA-256 of the archive, in hexadecimal digits: another file than the one that was looked at is refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.archive_sha256))
    error_message = "Write 64 small hexadecimal digits, as sha256sum prints them."
  }
}

variable "python" {
  description = "The Python that the archive was built for: 3.11, 3.12 or 3.13."
  type        = string
  default     = "3.13"

  validation {
    condition     = contains(["3.11", "3.12", "3.13"], var.python)
    error_message = "Write 3.11, 3.12 or 3.13, as it was said when the archive was built."
  }
}

variable "architecture" {
  description = "What the archive was built for: x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Lambda has arm64 and x86_64."
  }
}

variable "memory_mb" {
  description = "Memory of the function, in MiB. Its share of a processor grows with it."
  type        = number
  default     = 512

  validation {
    condition     = var.memory_mb >= 256 && var.memory_mb <= 10240
    error_message = "Give it 256 to 10240 MiB."
  }
}

variable "environment" {
  description = "More environment variables of the function. No secrets: whoever may read the function reads them."
  type        = map(string)
  default     = {}
}

variable "store" {
  description = "Where the log's table lives: one region that nobody evacuates; or three regions of a table that is strongly consistent across them; or two and a witness. The first is asked first. create = false takes a table that is there, another runner's."
  type = object({
    regions = list(string)
    witness = optional(string)
    table   = optional(string)
    create  = optional(bool, true)
  })

  validation {
    condition = contains(
      ["1 and no witness", "2 and a witness", "3 and no witness"],
      "${length(var.store.regions)} and ${var.store.witness == null ? "no" : "a"} witness",
    )
    error_message = "A table has one region, or three, or two and a witness: DynamoDB has no other strongly consistent one."
  }

  validation {
    condition     = length(distinct(compact(concat(var.store.regions, [var.store.witness])))) == length(compact(concat(var.store.regions, [var.store.witness])))
    error_message = "A region is named twice."
  }

  validation {
    condition     = length(var.store.regions) != 1 || !contains(var.watched_regions, var.store.regions[0])
    error_message = "The table would live in a region that may be evacuated, and be lost with it. Put it in a witness region, or in three."
  }

  validation {
    condition     = length(var.store.regions) == 1 || var.region != var.store.regions[0]
    error_message = "Both alarms would stand in one region, and be lost with it. Name another of the table's regions first."
  }
}

variable "watch_statements" {
  description = "What the function may read to watch: statements of a policy, with reading actions written out."
  type = list(object({
    sid       = string
    actions   = list(string)
    resources = list(string)
  }))
  default = []

  validation {
    condition = alltrue([
      for action in flatten(var.watch_statements[*].actions) :
      can(regex("^[a-z0-9-]+:(Describe|Get|List|BatchGet|Query)[A-Za-z0-9]*$", action))
    ])
    error_message = "Watching reads: actions that begin with Describe, Get, List, BatchGet or Query, and no * in them. What changes something belongs into execute_statements."
  }
}

variable "execute_statements" {
  description = "What carrying out a plan may do in this account: statements of a policy for a role of its own, which only the function's role may assume."
  type = list(object({
    sid       = string
    actions   = list(string)
    resources = list(string)
  }))
  default = []

  validation {
    condition     = alltrue([for action in flatten(var.execute_statements[*].actions) : can(regex("^[a-z0-9-]+:[A-Za-z0-9]+$", action))])
    error_message = "Write actions out, as in rds:FailoverGlobalCluster, without a *."
  }

  validation {
    condition     = !contains(flatten(var.execute_statements[*].resources), "*")
    error_message = "Name the resources that may be changed: * is all of them."
  }
}

variable "execute_roles" {
  description = "ARNs of other roles that the function's role may assume to carry out a plan, in other accounts say."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.execute_roles : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\\w+=,.@/-]+$", arn))])
    error_message = "Write whole ARNs of roles, without a *."
  }
}

variable "wake_on_alarms" {
  description = "ARNs of CloudWatch alarms in the function's region that wake it before its next minute. What they say is not believed."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.wake_on_alarms : can(regex("^arn:aws[a-z-]*:cloudwatch:${var.region}:[0-9]{12}:alarm:[^*?]+$", arn))])
    error_message = "Write whole ARNs of alarms in the function's own region: events do not leave theirs."
  }
}

variable "notify" {
  description = "Who hears that the runner has not run: ARNs of topics, by region. An alarm tells only topics of its own region, so both alarms' regions are needed."
  type        = map(list(string))

  validation {
    condition     = alltrue([for place in [var.region, var.store.regions[0]] : length(lookup(var.notify, place, [])) > 0])
    error_message = "Name a topic in the function's region and one in the table's first region: an alarm that nobody hears is none."
  }
}

variable "silent_minutes" {
  description = "After how many minutes without one tick that came through the alarms go off."
  type        = number
  default     = 5

  validation {
    condition     = var.silent_minutes >= 2 && var.silent_minutes <= 60 && floor(var.silent_minutes) == var.silent_minutes
    error_message = "Write 2 to 60 whole minutes."
  }
}

variable "log_days" {
  description = "For how many days what the function wrote is kept. The log of the runs is the table, and is kept."
  type        = number
  default     = 90
}

variable "tags" {
  description = "Tags for everything that takes them."
  type        = map(string)
  default     = {}
}
