variable "name" {
  description = "What the function app is called, and what the names of the rest begin with. It is unique in all of Azure."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}[a-z0-9]$", var.name))
    error_message = "A name begins with a small letter and has 3 to 30 small letters, digits and dashes, no dash last."
  }
}

variable "resource_group_name" {
  description = "The resource group that the runner lives in. It is not made here."
  type        = string
}

variable "location" {
  description = "Where the function runs, as in westeurope: best where nobody evacuates. In a watched region it goes with that, so deploy a second runner elsewhere, on the same container."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+[0-9]?$", var.location))
    error_message = "Write the name that `az account list-locations --query [].name` shows, as in westeurope."
  }
}

variable "watched_regions" {
  description = "Every region that cloudfail.yaml names, and which may be evacuated."
  type        = set(string)

  validation {
    condition     = length(var.watched_regions) > 0
    error_message = "Name the regions of cloudfail.yaml: without them nothing tells whether the store outlives them."
  }

  validation {
    condition     = alltrue([for region in var.watched_regions : can(regex("^[a-z]+[0-9]?$", region))])
    error_message = "Write the names that `az account list-locations --query [].name` shows, as in westeurope."
  }
}

variable "archive" {
  description = "Path of the archive that `cloudfail package azure` wrote."
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

variable "host_account" {
  description = "Name of the storage account that the platform itself needs, for the archive and the timer's lock. It is made here, beside the function, and used by its key."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.host_account)) && var.host_account != var.store.account
    error_message = "3 to 24 small letters and digits, and another account than the log's."
  }
}

variable "memory_mb" {
  description = "Memory of an instance, in MiB."
  type        = number
  default     = 2048

  validation {
    condition     = contains([512, 2048, 4096], var.memory_mb)
    error_message = "Flex Consumption has instances of 512, 2048 and 4096 MiB."
  }
}

variable "environment" {
  description = "More settings of the function app. No secrets: whoever may read the app reads them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.environment) : !can(regex("^(CLOUDFAIL_LIMIT_SECONDS|AZURE_CLIENT_ID|AzureWebJobsStorage)$", key))])
    error_message = "CLOUDFAIL_LIMIT_SECONDS, AZURE_CLIENT_ID and AzureWebJobsStorage are set by the module."
  }
}

variable "store" {
  description = "Where the log's storage account lives: in a region that nobody evacuates, whatever its redundancy. create = false takes an account and a container that are there, another runner's."
  type = object({
    account        = string
    location       = string
    container      = optional(string, "cloudfail")
    prefix         = optional(string, "")
    replication    = optional(string, "ZRS")
    resource_group = optional(string)
    create         = optional(bool, true)
  })

  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.store.account))
    error_message = "A storage account's name has 3 to 24 small letters and digits."
  }

  validation {
    condition     = can(regex("^[a-z]+[0-9]?$", var.store.location))
    error_message = "Write the name that `az account list-locations --query [].name` shows, as in westeurope."
  }

  validation {
    condition     = !contains(var.watched_regions, var.store.location)
    error_message = "The account would live in a region that may be evacuated, and be lost with it. Put it in a witness region."
  }

  validation {
    condition     = contains(["LRS", "ZRS"], var.store.replication)
    error_message = "LRS or ZRS: what is copied to a second region is copied later, and a failover of the account would lose the newest entries."
  }
}

variable "watch_roles" {
  description = "What the function may read to watch: built-in roles that only read, by name, and the scope that each is given on."
  type = map(object({
    scope = string
    role  = string
  }))
  default = {}

  validation {
    condition     = alltrue([for one in var.watch_roles : can(regex("^([A-Za-z ]+ )?Reader$", one.role))])
    error_message = "Watching reads: built-in roles whose name ends in Reader. What changes something belongs to an identity of execute_identity_ids."
  }
}

variable "execute_identity_ids" {
  description = "IDs of user-assigned identities that the function may use to carry out a plan. They are given to the app beside its own, which stays the one that it uses unless told otherwise."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.execute_identity_ids : can(regex("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/[^/]+$", id))])
    error_message = "Write whole IDs of user-assigned identities."
  }
}

variable "notify" {
  description = "Who hears that the runner has not run: IDs of action groups, and where what is written about it and the alarm live."
  type = object({
    action_group_ids = list(string)
    location         = string
  })

  validation {
    condition     = length(var.notify.action_group_ids) > 0
    error_message = "Name an action group: an alarm that nobody hears is none."
  }

  validation {
    condition     = !contains(var.watched_regions, var.notify.location)
    error_message = "The alarm would live in a region that may be evacuated, and be lost with it."
  }
}

variable "silent_minutes" {
  description = "After how many minutes without one tick that came through the alarm goes off: 5, 10, 15 or 30."
  type        = number
  default     = 5

  validation {
    condition     = contains([5, 10, 15, 30], var.silent_minutes)
    error_message = "Azure Monitor has windows of 5, 10, 15 and 30 minutes."
  }
}

variable "log_days" {
  description = "For how many days what the function wrote is kept. The log of the runs is the container, and is kept."
  type        = number
  default     = 90
}

variable "tags" {
  description = "Tags for everything that takes them."
  type        = map(string)
  default     = {}
}
