"""What AWS takes for a role, and where IAM is commanded."""

from __future__ import annotations


def role_mistake(role: str) -> tuple[str, str] | None:
    """What is wrong with the ARN of a role (ports.TakesRoles)."""
    parts = role.split(":", 5)
    whole = len(parts) == 6 and parts[0] == "arn" and parts[2] == "iam" and not parts[3]
    if whole and len(parts[4]) == 12 and parts[4].isdigit() and parts[5].startswith("role/") and "*" not in role:
        return None
    return "this is no ARN of a role", "write arn:aws:iam::111111111111:role/NAME"


_HOMES = {"cn": "cn-north-1", "us-gov": "us-gov-west-1"}


def home(region: str) -> str:
    """Where IAM's control plane of this region's partition stands."""
    return next((where for start, where in _HOMES.items() if region.startswith(f"{start}-")), "us-east-1")
