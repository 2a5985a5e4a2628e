"""`quipu serve` as a process of its own, for any client."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
QUIPU = os.environ.get("QUIPU_EXECUTABLE", str(ROOT / "build" / "release" / "bin" / "quipu"))
TIMEOUT_S = 60


class Server:
    """`quipu serve` on a free port and in a folder of its own, until close()."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="quipu-clients-")
        self.process = None
        self.url = None
        self.grpc = None  # "127.0.0.1:7334"
        self.start()

    def start(self):
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith("QUIPU_") or key == "QUIPU_MODELS"}
        environment["XDG_CONFIG_HOME"] = self.folder.name
        self.process = subprocess.Popen(
            [QUIPU, "--json", "--data", os.path.join(self.folder.name, "data"), "serve",
             "--port", "0"],
            env=environment, text=True, stdout=subprocess.PIPE, stderr=sys.stderr)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{QUIPU} did not start: exit status {self.process.wait(TIMEOUT_S)}")
        ready = json.loads(line)
        self.url, self.grpc = ready["url"], ready["grpc"]

    def stop(self):
        self.process.terminate()
        status = self.process.wait(TIMEOUT_S)
        self.process.stdout.close()
        if status != 0:
            raise RuntimeError(f"the server ended with status {status}")

    def restart(self):
        self.stop()
        self.start()

    def close(self):
        try:
            self.stop()
        finally:
            self.folder.cleanup()
