"""The real `terraform`, run on a copy of this project's modules, with nothing of this machine's own around it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TERRAFORM = ROOT / "terraform"
SCHEMAS = Path(__file__).resolve().parent / "schemas"
PROVIDERS = ("aws", "google", "azurerm")
ENDS = ("floor", "ceiling")
RUN_SECONDS = 120.0

MODULES = tuple(sorted(file.parent.relative_to(TERRAFORM) for file in TERRAFORM.glob("modules/*/versions.tf")))
EXAMPLES = tuple(sorted(file.parent.relative_to(TERRAFORM) for file in TERRAFORM.glob("modules/*/examples/*/main.tf")))


@dataclass(frozen=True)
class Said:
    """How a run of terraform ended, and what it wrote."""

    status: int
    text: str


class Workplace:
    """A folder of its own, and one end of the providers' versions."""

    def __init__(self, folder: Path, binary: str, reattach: str) -> None:
        self.folder = folder
        self._binary = binary
        self._reattach = reattach
        self._ready: set[Path] = set()
        (folder / "home").mkdir()
        (folder / "cli.tfrc").write_text("")

    def terraform(self, root: Path, *words: str) -> Said:
        """terraform, in `root`. Its own data lie beside the copy, one folder for each root."""
        data = self.folder / "data" / str(root.relative_to(self.folder)).replace("/", "-")
        done = subprocess.run(
            [self._binary, words[0], "-no-color", *words[1:]],
            cwd=root,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder / "home"),
                "TMPDIR": str(self.folder),
                "TF_CLI_CONFIG_FILE": str(self.folder / "cli.tfrc"),
                "TF_DATA_DIR": str(data),
                "TF_REATTACH_PROVIDERS": self._reattach,
                "TF_IN_AUTOMATION": "1",
                "CHECKPOINT_DISABLE": "1",
                "NO_PROXY": "127.0.0.1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        return Said(done.returncode, done.stdout)

    def copy(self, name: str = "terraform") -> Path:
        """A copy of the project's folder, to be run in; one of another name, to be spoilt."""
        made = self.folder / name
        if not made.exists():
            shutil.copytree(TERRAFORM, made, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        return made

    def init(self, root: Path) -> None:
        """Once is enough for a root: it installs nothing, and finds the modules that it calls."""
        if root in self._ready:
            return
        said = self.terraform(root, "init", "-backend=false", "-input=false")
        assert said.status == 0, said.text
        self._ready.add(root)

    def plan(self, root: Path, variables: dict[str, Any]) -> Any:
        """What `show -json` says of a plan of `root`."""
        values = self.folder / f"{root.name}.tfvars.json"
        values.write_text(json.dumps(variables), encoding="utf-8")
        out = self.folder / f"{root.name}.plan"
        said = self.terraform(root, "plan", "-input=false", "-lock=false", f"-var-file={values}", f"-out={out}")
        assert said.status == 0, said.text
        shown = self.terraform(root, "show", "-json", str(out))
        assert shown.status == 0, shown.text
        return json.loads(shown.text)
