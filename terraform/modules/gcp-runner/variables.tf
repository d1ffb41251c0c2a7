variable "name" {
  description = "What the function, its service accounts and its schedule are called, and what they begin with."
  type        = string
  default     = "cloudfail"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,19}[a-z0-9]$", var.name))
    error_message = "A name begins with a small letter and has 4 to 21 small letters, digits and dashes, no dash last."
  }
}

variable "project" {
  description = "ID of the project that the runner lives in."
  type        = string
}

variable "region" {
  description = "Where the function runs: best where nobody evacuates. In a watched region it goes with that, so deploy a second runner elsewhere, on the same bucket."
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
  description = "Path of the archive that `cloudfail package gcp` wrote."
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

variable "build_service_account" {
  description = "What builds the function, as projects/PROJECT/serviceAccounts/EMAIL; the project's own default where it is null."
  type        = string
  default     = null
}

variable "memory_mb" {
  description = "Memory of the function, in MiB."
  type        = number
  default     = 512

  validation {
    condition     = var.memory_mb >= 256 && var.memory_mb <= 4096
    error_message = "Give it 256 to 4096 MiB."
  }
}

variable "environment" {
  description = "More environment variables of the function. No secrets: whoever may read the function reads them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.environment) : key != "CLOUDFAIL_LIMIT_SECONDS"])
    error_message = "CLOUDFAIL_LIMIT_SECONDS is what the function is deployed with, and set by the module."
  }
}

variable "store" {
  description = "Where the log's bucket lives: in a region that nobody evacuates, or in a dual- or multi-region (eur4, eu). retention_days: for how long nobody at all can delete an entry. create = false takes a bucket that is there, another runner's."
  type = object({
    bucket         = string
    location       = string
    prefix         = optional(string, "")
    retention_days = optional(number)
    create         = optional(bool, true)
  })

  validation {
    condition     = can(regex("^(asia|eu|us|[a-z]{3,4}[0-9]{1,2}|[a-z]+-[a-z]+[0-9]{1,2})$", var.store.location))
    error_message = "Write a location in small letters: a region (europe-west3), a dual-region (eur4) or a multi-region (eu)."
  }

  validation {
    condition     = !contains(var.watched_regions, var.store.location)
    error_message = "The bucket would live in a region that may be evacuated, and be lost with it. Put it in a witness region, or in several."
  }
}

variable "watch_roles" {
  description = "What the function may read to watch: predefined roles that only read, by name, and the project that each is given in."
  type = map(object({
    project = string
    role    = string
  }))
  default = {}

  validation {
    condition     = alltrue([for one in var.watch_roles : can(regex("^roles/([A-Za-z0-9]+\\.)?([A-Za-z]*V|v)iewer$|^roles/[A-Za-z0-9]+\\.([A-Za-z]*R|r)eader$", one.role))])
    error_message = "Watching reads: predefined roles that end in viewer or reader. What changes something belongs to a service account of execute_service_accounts."
  }
}

variable "execute_service_accounts" {
  description = "Service accounts that the function's own may act as to carry out a plan, as projects/PROJECT/serviceAccounts/EMAIL."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.execute_service_accounts : can(regex("^projects/[a-z0-9-]+/serviceAccounts/[a-z0-9-]+@[a-z0-9.-]+$", one))])
    error_message = "Write projects/PROJECT/serviceAccounts/EMAIL."
  }
}

variable "notify" {
  description = "Who hears that the runner has not run: names of notification channels, and the project that the alert lives in, which must see the runner's metrics. The runner's own where it is null."
  type = object({
    channels = list(string)
    project  = optional(string)
  })

  validation {
    condition     = length(var.notify.channels) > 0
    error_message = "Name a channel: an alert that nobody hears is none."
  }
}

variable "silent_minutes" {
  description = "After how many minutes without one tick that came through the alert goes off."
  type        = number
  default     = 5

  validation {
    condition     = var.silent_minutes >= 3 && var.silent_minutes <= 60 && floor(var.silent_minutes) == var.silent_minutes
    error_message = "Write 3 to 60 whole minutes."
  }
}

variable "labels" {
  description = "Labels for everything that takes them."
  type        = map(string)
  default     = {}
}
