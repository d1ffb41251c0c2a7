"""moto's server with four of its mistakes mended, run by moto's own Python: `moto_launcher.py -H 127.0.0.1 -p PORT`.

- moto's PromoteReadReplica answers with success, and leaves the promoted instance listed as its source's replica, with
  the source as its own: whoever waits for the promotion to show waits for ever. On AWS both links are gone.
- It lets an instance be promoted that is no replica. AWS answers InvalidDBInstanceState.
- EKS's TagResource knows clusters alone, and says of a node group that it was not found.
- ModifyManagedPrefixList takes any CurrentVersion, and forgets the list's name where none is given. AWS refuses a
  version that is not the current one: PrefixListVersionMismatch.
"""

from __future__ import annotations

import sys
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import managed_prefixes
from moto.eks.models import EKSBackend
from moto.rds import exceptions, models
from moto.server import main

_promote = models.RDSBackend.promote_read_replica
_tag = EKSBackend.tag_resource
_modify = managed_prefixes.ManagedPrefixListBackend.modify_managed_prefix_list


def promote_read_replica(self: Any, db_kwargs: dict[str, Any]) -> Any:
    name = db_kwargs["db_instance_identifier"]
    replica = self.describe_db_instances(name)[0]
    if not replica.is_replica:
        raise exceptions.RDSClientError("InvalidDBInstanceState", f"DB instance {name} is not a read replica.")
    source = self.find_db_from_id(replica.source_db_instance_identifier)
    promoted = _promote(self, db_kwargs)
    source.replicas = [one for one in source.replicas if one not in (replica.db_instance_arn, name)]
    promoted.source_db_instance_identifier = None
    return promoted


def tag_resource(self: Any, resource_arn: str, tags: dict[str, str]) -> None:
    for cluster in self.clusters.values():
        for nodegroup in cluster.nodegroups.values():
            if nodegroup.arn == resource_arn:
                nodegroup.tags = {**(nodegroup.tags or {}), **tags}
                return
    _tag(self, resource_arn, tags)


def modify_managed_prefix_list(self: Any, **asked: Any) -> Any:
    one = self.managed_prefix_lists.get(asked["prefix_list_id"])
    if one is None:
        raise EC2ClientError("InvalidPrefixListID.NotFound", f"There is no {asked['prefix_list_id']}.")
    if asked["current_version"] not in (None, one.version):
        raise EC2ClientError("PrefixListVersionMismatch", "The prefix list has the incorrect version number.")
    return _modify(self, **{**asked, "prefix_list_name": asked["prefix_list_name"] or one.prefix_list_name})


models.RDSBackend.promote_read_replica = promote_read_replica
managed_prefixes.ManagedPrefixListBackend.modify_managed_prefix_list = modify_managed_prefix_list
EKSBackend.tag_resource = tag_resource

if __name__ == "__main__":
    main(sys.argv[1:])
