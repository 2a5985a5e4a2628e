"""The other end of worker.py, for workers written in Python.

Libraries may print as they like: their standard output becomes standard error.
"""
import json
import os
import sys


def serve(handlers):
    """Answers requests with handlers[op](request) until the input ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            request = json.loads(line)
            reply = handlers[request["op"]](request)
        except Exception as error:  # pylint: disable=broad-except
            reply = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(reply) + "\n")
        out.flush()


def resident():
    """Anonymous and file-backed resident bytes of this process."""
    found = {"RssAnon:": 0, "RssFile:": 0}
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            parts = line.split()
            if parts[0] in found:
                found[parts[0]] = int(parts[1]) * 1024
    return found["RssAnon:"], found["RssFile:"]
