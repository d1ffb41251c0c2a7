"""Asks the lab's supervisor, as a site's own command would: what `cloudfail.yaml` of a lab names in its commands.

Run by its path, with `python -I -S`, and importing next to nothing: it runs in the middle of an evacuation, several at
once, and what it takes to start would be measured as cloudfail's. `python -m cloudfail.lab.control` is the same with
words for people. Usage: asking.py SOCKET VERB [REGION [COUNT]]; the answer is JSON, exit code 0 (`fenced`: 1 if it is
not), or 2 and why not.
"""

import json
import socket
import sys

SECONDS_MAX = 120.0


def ask(path: str, verb: str, region: str, *count: str) -> int:
    request = {"verb": verb, "region": region}
    if count:
        request["count"] = int(count[0])  # type: ignore[assignment]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(SECONDS_MAX)
        connection.connect(path)
        connection.sendall(json.dumps(request).encode() + b"\n")
        reply = b""
        while not reply.endswith(b"\n") and (more := connection.recv(65536)):
            reply += more
    answer = json.loads(reply)
    if not answer["ok"]:
        sys.stderr.write(" ".join(answer["error"].values()) + "\n")
        return 2
    sys.stdout.write(json.dumps(answer["result"]) + "\n")
    return 1 if verb == "fenced" and not answer["result"]["fenced"] else 0


if __name__ == "__main__":
    try:
        code = ask(*sys.argv[1:])
    except (OSError, ValueError, TypeError) as error:
        sys.stderr.write(f"No lab answers: {error}\n")
        code = 2
    sys.exit(code)
