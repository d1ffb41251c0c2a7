"""Custom roles and bindings: what `cloudfail iam gcp` prints for one role of cloudfail.yaml.

A custom role belongs to a project, and is bound with one condition or none. So there is one for all that can be given
on the whole project alone, and one for each set of permissions that can be given by name, which is bound to these
names. What is wider than the file is listed with its reason.

The text of each role is what `gcloud iam roles create --file` takes (JSON is YAML). No tool for infrastructure is
needed for it, and each that knows IAM can do the same.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudfail.ports import Grant
from cloudfail_gcp.access.places import CONDITIONS, Way, collection_of, gcloud_of, page_of, project_of, sort_of
from cloudfail_gcp.roles import project_of_role

ME = "the account that cloudfail runs as"
NAMES_MAX = 12
"""IAM takes no condition of more than 12 logical operators (IAM, "Quotas and limits"); more names are more bindings."""

_Bound = Mapping[tuple[str, Way, str], set[str]]
"""(project, way, name) -> permissions. The name is "" where they are given on the whole project."""


def document(grants: Mapping[str, Sequence[Grant]], role: str, does: str) -> dict[str, Any]:
    """One role's. role: the service account, "" for the process's own. does: watch or execute."""
    bound, wide, rows = _collected(grants)
    member = f"serviceAccount:{role}" if role else "MEMBER"
    roles: dict[str, dict[str, Any]] = {}
    bindings: list[dict[str, Any]] = []
    for (project, way, permissions), names in _shared(bound).items():
        account = role.partition("@")[0], home if (home := project_of_role(role)) != project else ""
        identifier = _identifier((does, *account), project, way, names, roles)
        where = f"projects/{project}/roles/{identifier}"
        roles[where] = {
            "title": f"cloudfail {does or 'role'}: {_what(names)}",
            "description": f"What cloudfail needs to {does or 'do its work'}, for {_what(names)} of {project}.",
            "stage": "GA",
            "includedPermissions": sorted(permissions),
        }
        bindings += [{**one, "role": where, "member": member} for one in _bindings(project, way, names)]
    return {
        "roles": [{"role": name, "file": text} for name, text in roles.items()],
        "bindings": bindings,
        "commands": [*(_create(name) for name in roles), *(said for one in bindings if (said := _bind(one)))],
        "by_hand": [said for one in bindings if (said := _by_hand(one))],
        "permissions": rows,
        "on_the_whole_project": wide,
        **({} if role else {"member": f"Write {ME} in the place of MEMBER: serviceAccount:NAME@PROJECT.iam…"}),
    }


def _collected(
    grants: Mapping[str, Sequence[Grant]],
) -> tuple[_Bound, list[dict[str, Any]], list[dict[str, Any]]]:
    """(what is bound where, what is wider than the file and why, each permission with its page)."""
    everywhere: set[tuple[str, str]] = set()
    given: list[tuple[str, Grant, str, str]] = [
        (name, grant, permission, path)
        for name, held in grants.items()
        for grant in held
        for permission in grant.actions
        for path in grant.on
    ]
    for _, _, permission, path in given:
        if sort_of(permission, path).way == "project":
            everywhere.add((project_of(path), permission))
    bound: dict[tuple[str, Way, str], set[str]] = defaultdict(set)
    wide: dict[tuple[str, str], dict[str, Any]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, grant, permission, path in given:
        project, way = project_of(path), sort_of(permission, path).way
        if (project, permission) in everywhere:
            way = "project"
        bound[project, way, "" if way == "project" else path].add(permission)
        row = rows.setdefault(permission, {"permission": permission, "for": [], "page": page_of(permission)})
        row["for"] += [one for one in (f"{name}: {path}",) if one not in row["for"]]
        if way == "project":
            why = grant.why or _why(permission, path)
            line = wide.setdefault((project, permission), {"permission": permission, "on": f"projects/{project}"})
            line.setdefault("why", why)
    return bound, list(wide.values()), [rows[permission] for permission in sorted(rows)]


def _why(permission: str, path: str) -> str:
    if collection_of(path) == "project":
        return "It is asked of a whole project."
    if sort_of(permission, path).way != "project":
        return "Another part of the file needs it on the whole project."
    sort = collection_of(path)
    return f"No condition on a name of {sort} is known to hold ({CONDITIONS}), and no policy of their own."


def _shared(bound: _Bound) -> dict[tuple[str, Way, frozenset[str]], list[str]]:
    """Names of one sort for which the same is needed share one role."""
    found: dict[tuple[str, Way, frozenset[str]], list[str]] = defaultdict(list)
    for (project, way, name), permissions in sorted(bound.items()):
        found[project, way, frozenset(permissions)].append(name)
    return found


def _what(names: Sequence[str]) -> str:
    sorts = sorted({collection_of(name) for name in names if name})
    return " and ".join(sorts) if sorts else "the project"


def _identifier(whose: tuple[str, ...], project: str, way: Way, names: Sequence[str], taken: Mapping[str, Any]) -> str:
    """Letters, digits, dots and underscores, 3 to 64 (IAM v1's reference, projects.roles.create). Two accounts that do
    the same in one project have roles of their own."""
    sorts = "" if way == "project" else "_".join(sorted({collection_of(name) for name in names}))
    stem = re.sub(r"[^A-Za-z0-9_.]", "_", "_".join(filter(None, ("cloudfail", *whose, sorts))))[:60]
    numbered = (stem if number == 1 else f"{stem}_{number}" for number in range(1, len(taken) + 2))
    return next(one for one in numbered if f"projects/{project}/roles/{one}" not in taken)


def _bindings(project: str, way: Way, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    if way == "project":
        yield {"on": f"projects/{project}"}
    elif way == "own":
        yield from ({"on": name} for name in names)
    else:
        for start in range(0, len(names), NAMES_MAX):
            some = names[start : start + NAMES_MAX]
            said = " || ".join(f'resource.name == "{name}"' for name in some)
            title = f"cloudfail, by name{f' ({start // NAMES_MAX + 1})' if len(names) > NAMES_MAX else ''}"
            yield {"on": f"projects/{project}", "condition": {"title": title, "expression": said}}


def _create(where: str) -> str:
    _, project, _, identifier = where.split("/")
    return f"gcloud iam roles create {identifier} --project={project} --file={file_name(where)}"


def file_name(where: str) -> str:
    """The file that the command names for that role."""
    _, project, _, identifier = where.split("/")
    return f"{identifier}@{re.sub(r'[^a-z0-9.-]', '-', project)}.yaml"


def files(policy: Mapping[str, Any]) -> dict[str, str]:
    """ports.WritesRoleFiles. JSON is YAML, of which no library is needed to write it."""
    return {file_name(one["role"]): json.dumps(one["file"], indent=2) + "\n" for one in policy["roles"]}


def _bind(binding: Mapping[str, Any]) -> str:
    """The command; "" where gcloud has none that adds one binding."""
    to, on = f"--member={binding['member']} --role={binding['role']}", str(binding["on"])
    if collection_of(on) == "project":
        condition = binding.get("condition")
        # gcloud takes the condition's parts apart at commas unless another mark stands at the beginning.
        told = f"^;^title={condition['title']};expression={condition['expression']}" if condition else "None"
        return f"gcloud projects add-iam-policy-binding {project_of(on)} {to} --condition={shlex.quote(told)}"
    words, parts = gcloud_of(on), on.split("/")
    at = f" --{'location' if 'queues' in parts else 'region'}={parts[3]}" if parts[2] == "locations" else ""
    return f"gcloud {words} add-iam-policy-binding {parts[-1]} --project={parts[1]}{at} {to}" if words else ""


def _by_hand(binding: Mapping[str, Any]) -> str:
    on = str(binding["on"])
    if _bind(binding):
        return ""
    where = f"{on.rpartition('/')[2]} --project={project_of(on)}"
    return (
        f"gcloud dns managed-zones get-iam-policy {where} --format=json > FILE; add the binding of {binding['role']} "
        f"to {binding['member']}; gcloud dns managed-zones set-iam-policy {where} --policy-file=FILE"
    )
