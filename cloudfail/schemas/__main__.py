"""`python -m cloudfail.schemas` writes both schemas; `--check` only says whether they are current."""

from __future__ import annotations

import sys

from cloudfail.schemas import FOLDER, generated, text_of


def main(arguments: list[str]) -> int:
    """0: written, or current. 1: not current."""
    stale = []
    for name, schema in generated().items():
        file, text = FOLDER / f"{name}.schema.json", text_of(schema)
        if file.exists() and file.read_text(encoding="utf-8") == text:
            continue
        stale.append(file.name)
        if "--check" not in arguments:
            file.write_text(text, encoding="utf-8")
    verb = "not current" if "--check" in arguments else "written"
    sys.stdout.write("".join(f"{name}: {verb}\n" for name in stale) or "both schemas are current\n")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
