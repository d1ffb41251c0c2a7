"""A small site that functions can move: two regions that answer over HTTP, and tools behind commands, all of it files.

Every change is made by a command that takes its time and writes a line when it is done, so that a test can count how
often each thing was changed, whoever was killed meanwhile.
"""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOOLS = 8
_TOOL = """#!/bin/sh
# tool.sh read|freeze|thaw DIRECTORY NAME SECONDS
case $1 in
  read) test -e "$2/$3.held" ;;
  freeze) sleep "$4"; touch "$2/$3.held"; echo "freeze $3" >> "$2/changes" ;;
  thaw) sleep "$4"; rm -f "$2/$3.held"; echo "thaw $3" >> "$2/changes" ;;
esac
"""
_RUNBOOK = """
name: evacuate
mode: failover
steps:
  freeze: {action: change.freeze, with: {where: "${to}"}, limit: 10m, retries: 20}
  users: {action: verify.users, with: {check: app}, needs: [freeze], limit: 2m}
  unfreeze: {action: change.unfreeze, with: {where: "${to}"}, needs: [users], limit: 10m, retries: 20}
"""


class Site:
    def __init__(
        self,
        root: Path,
        *,
        call_seconds: float = 0.5,
        lease: str = "3s",
        automation: str = "off",
        state: str = "",
        approvers: tuple[str, ...] = (),
        runbook: str = _RUNBOOK,
    ) -> None:
        self.root = root
        self.healthy = {"east", "west"}
        self._server = _serve(self)
        port = self._server.server_address[1]
        (root / "tool.sh").write_text(_TOOL)
        (root / "runbooks").mkdir()
        (root / "runbooks" / "evacuate.yaml").write_text(runbook)
        tools = "\n".join(self._tool(f"tool{number}", call_seconds) for number in range(TOOLS))
        (root / "cloudfail.yaml").write_text(f"""
application: shop
objectives: {{rto: 60m, rpo: 30s}}
regions:
  east: {{provider: local}}
  west: {{provider: local}}
primary: east
state: {state or f"sqlite:{root}/state.db"}
resources:
{tools}
checks:
  app: {{http: "http://127.0.0.1:{port}/${{region}}", every: 500ms, timeout: 1s, fall: 2, rise: 1}}
vantages: {{first: {{}}, second: {{}}, third: {{}}}}
policy: {{automation: {automation}, scope: site, hold_down: 1s, lease: {lease}, runbook: evacuate,
  approvers: {json.dumps(approvers)}}}
""")

    def _tool(self, name: str, seconds: float) -> str:
        def argv(verb: str, region: str) -> str:
            return f'[sh, {self.root}/tool.sh, {verb}, {self.root}, {name}-{region}, "{seconds}"]'

        members = ", ".join(
            f"{region}: {{" + ", ".join(f"{verb}: {argv(verb, region)}" for verb in ("read", "freeze", "thaw")) + "}"
            for region in ("east", "west")
        )
        return f"  {name}: {{change: command, members: {{{members}}}}}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # ---- what happened

    def changes(self) -> Counter[str]:
        """How often each thing was changed."""
        path = self.root / "changes"
        return Counter(path.read_text().splitlines()) if path.exists() else Counter()

    @staticmethod
    def wanted() -> Counter[str]:
        return Counter(f"{verb} tool{number}-west" for verb in ("freeze", "thaw") for number in range(TOOLS))

    # ---- by hand

    def environment(self) -> dict[str, str]:
        return {**os.environ, "CLOUDFAIL_CONFIG": str(self.root / "cloudfail.yaml"), "CLOUDFAIL_AS": "alice"}

    def cli(self, *argv: str, seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cloudfail", *argv],
            cwd=self.root, env=self.environment(), capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip

    def run(self) -> Any:
        """The newest run, as the log tells it."""
        from cloudfail.app import App

        app = App.open(self.root / "cloudfail.yaml", [self.root / "runbooks" / "evacuate.yaml"], "reader")
        return list(app.log().runs.values())[-1]


def _serve(site: Site) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path.strip("/") in site.healthy else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
