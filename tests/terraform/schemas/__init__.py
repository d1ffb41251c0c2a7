"""What the providers of Terraform take, as far as the modules use it: trimmed, and kept beside what made it."""
