"""What people write in cloudfail.yaml for `database: firestore` (an unknown key is a mistake)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape
from cloudfail_gcp.paths import PROJECT

DatabasePath = Annotated[str, Field(pattern=rf"^{PROJECT}/databases/(?:\(default\)|[a-z][a-z0-9-]{{2,61}}[a-z0-9])$")]
CollectionName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,127}$")]
ProxyUrl = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.-]+:\d{1,5}$")]


class FirestoreMember(Shape):
    """Through which HTTP proxy the database is asked as an application in that region asks it: its URL."""

    through: ProxyUrl

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"through": value} if isinstance(value, str) else value


class FirestoreOptions(Shape):
    """path: of the database. collection: cloudfail's own, in it. answer_within bounds what is asked of documents,
    api_within what is asked of the database's description, both with their second attempts."""

    path: DatabasePath
    collection: CollectionName = "cloudfail"
    answer_within: PositiveDuration = Seconds(5)
    api_within: PositiveDuration = Seconds(8)
