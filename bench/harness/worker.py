"""A process that answers lines of JSON on its standard input and output."""
import json
import selectors
import subprocess
import time


class WorkerError(Exception):
    """The worker refused a request, died, or was too slow; the message says which."""


class Worker:
    """One peer. Use as a context manager: leaving it ends the process."""

    def __init__(self, name, command, environment=None, cwd=None):
        self.name = name
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         env=environment, cwd=cwd)
        self._buffer = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def pid(self):
        return self._process.pid

    def close(self):
        """Closing its input asks the worker to end; what does not end is killed."""
        try:
            self._process.stdin.close()
        except OSError:
            pass  # It is gone already, with a request unread.
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._selector.close()
        self._process.stdout.close()

    def ask(self, op, timeout_s=1800, **arguments):
        """Sends one request and returns its reply. Raises WorkerError."""
        line = json.dumps({"op": op, **arguments}) + "\n"
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except OSError as error:
            raise WorkerError(f"{self.name}: gone before '{op}' ({error})") from error
        reply = self._read_line(op, time.monotonic() + timeout_s)
        try:
            reply = json.loads(reply)
        except ValueError as error:
            raise WorkerError(f"{self.name}: no JSON after '{op}': {reply[:200]!r}") from error
        if "error" in reply:
            raise WorkerError(f"{self.name}: {op}: {reply['error']}")
        return reply

    def _read_line(self, op, deadline):
        while b"\n" not in self._buffer:
            if not self._selector.select(max(0, deadline - time.monotonic())):
                self._process.kill()
                raise WorkerError(f"{self.name}: no answer to '{op}' in time")
            block = self._process.stdout.read1(1 << 20)
            if not block:
                raise WorkerError(f"{self.name}: ended during '{op}', "
                                  f"exit status {self._process.wait()}")
            self._buffer += block
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line
