"""Less CPU for one process than it needs, as on a machine that is too small."""

import os
import signal
import threading
import time

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Far below the 1.5 s after which a worker that uses no CPU is taken for dead.
LOOK_EVERY_S = 0.01


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


class Throttle:
    """Holds `pid` to `cpus` CPUs on average, by SIGSTOP and SIGCONT, until it is left."""

    def __init__(self, pid, cpus):
        self.pid, self.cpus = pid, cpus
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._hold, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _hold(self):
        begun, used = time.monotonic(), cpu_seconds(self.pid)
        try:
            while not self._over.wait(LOOK_EVERY_S):
                allowed = (time.monotonic() - begun) * self.cpus
                is_over = cpu_seconds(self.pid) - used > allowed
                os.kill(self.pid, signal.SIGSTOP if is_over else signal.SIGCONT)
        finally:
            os.kill(self.pid, signal.SIGCONT)
