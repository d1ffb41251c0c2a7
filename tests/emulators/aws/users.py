"""What users of an application meet: a listener in each region, which can be lost."""

from __future__ import annotations

import http.server
import threading


class Users:
    """What answers users in each region. One that is lost takes a request and hangs up."""

    def __init__(self, *regions: str) -> None:
        self.lost: set[str] = set()
        self._servers = {region: self._serve(region) for region in regions}

    def address(self, region: str) -> str:
        return f"127.0.0.1:{self._servers[region].server_address[1]}"

    def close(self) -> None:
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    def _serve(self, region: str) -> http.server.ThreadingHTTPServer:
        lost = self.lost

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if region in lost:
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server
