"""What a site's own `observe` may say: `done`, `moving` or `todo` as the first word of its first line, then details.

Nothing else is taken for an answer. A traceback, an empty output, a word of somebody else's is unknown: a command that
broke must not look like one that says "not done", since that would order the action again.
"""

from __future__ import annotations

from cloudfail.model.states import CustomWord

DETAIL_MAX = 200
SAYS = {word.value: word for word in (CustomWord.TODO, CustomWord.MOVING, CustomWord.DONE)}
NO_WORD = "what its observe printed begins with none of done, moving and todo"


def said(text: str) -> tuple[CustomWord, str] | None:
    """The word, and the rest of its line; None where it says neither."""
    first, _, rest = text.strip().partition("\n")[0].strip().partition(" ")
    word = SAYS.get(first.rstrip(":,.").lower())
    return None if word is None else (word, rest.strip()[:DETAIL_MAX])
