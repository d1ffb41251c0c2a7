"""What holds for a name whoever keeps its zone: the mark beside it, what is written of it in cloudfail.yaml, and what
outside resolvers answer; and which weights may be asked of a name or a balancer. Providers stand on it; it is no
provider itself.

Importing this package imports no vendor library.
"""
