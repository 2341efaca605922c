"""The worker process as its parent sees it: started, spoken to under a deadline, killed, and its death explained."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from models.codes import ReadOutcome
from pipeline.read.wire import LENGTH, MAX_FRAME, encode

_START_SECONDS: Final = 60.0
# How often a busy worker's memory is looked at.
_SAMPLE_SECONDS: Final = 0.01
_ROOT: Final = Path(__file__).resolve().parents[2]
# What a failed allocation ends in: abort, or the trap instruction PDFium's allocator executes.
_ALLOCATION_SIGNALS: Final = frozenset({signal.SIGABRT, signal.SIGTRAP, signal.SIGILL, signal.SIGSEGV, signal.SIGBUS})
_MEMORY_WORDS: Final = (b"bad_alloc", b"MemoryError", b"out of memory", b"Out of memory", b"Cannot allocate memory")


class WorkerDied(Exception):
    """The worker ended, or was ended, before it answered."""

    def __init__(self, outcome: ReadOutcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


class Child:
    """One worker process. After `WorkerDied` it is gone; make another."""

    def __init__(self, memory_bytes: int) -> None:
        """Start a worker that may map `memory_bytes`. Raises RuntimeError when it cannot start."""
        self._memory_bytes = memory_bytes
        self._peak = self._inherited = 0
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        path = os.environ.get("PYTHONPATH", "")
        # Its own session, so that killing its group kills all of it and a terminal's Ctrl-C leaves it to its parent.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.read.worker", str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(part for part in (str(_ROOT), path) if part)},
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to = self._process.stdin.fileno()
        self._from = self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        try:
            hello = self.receive(time.monotonic() + _START_SECONDS)
        except WorkerDied as died:
            raise RuntimeError(f"The reading process did not start: {died.detail}") from died
        # Over fork and exec a process inherits its parent's peak; only what exceeds it was the worker's own.
        self._inherited = int(hello["maxrss"])
        self._peak = self._own_peak()
        self._peak_at_start = self._peak

    @property
    def pid(self) -> int:
        """The process id, which is also its group's."""
        return self._process.pid

    def send(self, message: dict[str, Any], deadline: float, payload: bytes = b"") -> None:
        """Send one request before `deadline` (monotonic seconds). Raises WorkerDied."""
        for part in (encode(message), payload):
            rest = memoryview(part)
            while rest:
                self._wait(self._to, select.POLLOUT, deadline)
                try:
                    rest = rest[os.write(self._to, rest) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    raise self._death() from None

    def receive(self, deadline: float) -> dict[str, Any]:
        """The next answer, before `deadline` (monotonic seconds). Raises WorkerDied."""
        length = LENGTH.unpack(self._exactly(LENGTH.size, deadline))[0]
        if length > MAX_FRAME:
            self.kill()
            raise WorkerDied(ReadOutcome.CRASHED, f"The reading process answered {length} bytes at once.")
        message: dict[str, Any] = json.loads(self._exactly(length, deadline))
        return message

    def kill(self) -> int | None:
        """End the process and its group, and give its peak memory in KiB where the system tells."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()  # the group is gone already; this is then a no-op
        return self._reap()

    def close(self) -> None:
        """End an idle worker."""
        self.kill()

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _exactly(self, size: int, deadline: float) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            self._wait(self._from, select.POLLIN, deadline)
            got = os.read(self._from, min(size - len(parts), 1 << 20))
            if not got:
                raise self._death()
            parts += got
        return bytes(parts)

    def _wait(self, descriptor: int, event: int, deadline: float) -> None:
        """Wait until `descriptor` is ready; at the deadline, kill. poll, as select fails on descriptors over 1023."""
        poll = select.poll()
        poll.register(descriptor, event)
        while True:
            left = max(0.0, deadline - time.monotonic())
            if poll.poll(min(left, _SAMPLE_SECONDS) * 1000):
                return
            if not left:
                break
            self._peak = max(self._peak, self._own_peak())
        self.kill()
        raise WorkerDied(ReadOutcome.TIMEOUT, "It took longer than its time limit.")

    def _own_peak(self) -> int:
        """The living worker's own peak memory in KiB, 0 where the system does not tell."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return 0
        return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)

    def _death(self) -> WorkerDied:
        """Why the worker, whose pipe has closed, ended."""
        # Closing its pipe and ending are one act, unless the worker closed it itself: then it must not outlive this.
        deadline = time.monotonic() + 5
        peak = None
        while peak is None and self._process.returncode is None and time.monotonic() < deadline:
            peak = self._reap(os.WNOHANG)
            time.sleep(0.005)
        if self._process.returncode is None:
            peak = self.kill()
        said = self._said()
        self._close_pipes()
        code = self._process.returncode
        if code == -signal.SIGXCPU:
            return WorkerDied(ReadOutcome.TIMEOUT, "It took more processor time than its limit.")
        own = max(self._peak, peak if peak is not None and peak > self._inherited else 0)
        grown = (own - self._peak_at_start) * 1024 > self._memory_bytes // 2
        if any(word in said for word in _MEMORY_WORDS) or (
            code is not None and code < 0 and -code in _ALLOCATION_SIGNALS and grown
        ):
            return WorkerDied(ReadOutcome.OUT_OF_MEMORY, f"It needed more than {self._memory_bytes} bytes of memory.")
        if code is not None and code < 0:
            return WorkerDied(ReadOutcome.CRASHED, f"The reading process ended by signal {-code}.")
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
        return WorkerDied(ReadOutcome.CRASHED, f"The reading process ended with code {code}. {last}".strip())

    def _reap(self, flags: int = 0) -> int | None:
        """Collect the process's end. None when it still runs, or when somebody else collected it."""
        if self._process.returncode is not None:
            return None
        try:
            pid, status, usage = os.wait4(self._process.pid, flags)
        except ChildProcessError:
            self._process.returncode = 0
            self._close_pipes()
            return None
        if pid == 0:
            return None
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if not flags:
            self._close_pipes()
        return usage.ru_maxrss

    def _said(self) -> bytes:
        """The end of what the worker wrote to its error stream."""
        if self._errors.closed:
            return b""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - 4000))
        return self._errors.read()

    def _close_pipes(self) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None and not stream.closed:
                stream.close()
