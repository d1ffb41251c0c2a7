"""moto's server with two of its mistakes mended, run by moto's own Python: `moto_launcher.py -H 127.0.0.1 -p PORT`.

- moto's PromoteReadReplica answers with success, and leaves the promoted instance listed as its source's replica, with
  the source as its own: whoever waits for the promotion to show waits for ever. On AWS both links are gone.
- It lets an instance be promoted that is no replica. AWS answers InvalidDBInstanceState.
"""

from __future__ import annotations

import sys
from typing import Any

from moto.rds import exceptions, models
from moto.server import main

_promote = models.RDSBackend.promote_read_replica


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


models.RDSBackend.promote_read_replica = promote_read_replica

if __name__ == "__main__":
    main(sys.argv[1:])
