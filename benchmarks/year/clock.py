"""A clock that can be put forward, for every library of a process: what reads the time of day reads it through this.

The retention of a table's log and files is decided inside of compiled libraries, by the time of day. So a few lines of
C stand before the C library's clock in a process that was started with them (``LD_PRELOAD``), and add what a file says.
Durations (the monotonic clock) are as they are.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
from pathlib import Path

OFFSET = "NIGHTSHIFT_YEAR_CLOCK"
"""Environment variable with the path of the file that holds the offset in seconds, 8 bytes."""
SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *put_forward;
static int (*kept)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    kept = dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("NIGHTSHIFT_YEAR_CLOCK");
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) return;
    void *there = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (there != MAP_FAILED) put_forward = there;
    close(file);
}

int clock_gettime(clockid_t which, struct timespec *at) {
    if (!kept) kept = dlsym(RTLD_NEXT, "clock_gettime");
    int result = kept(which, at);
    if (result == 0 && put_forward && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        at->tv_sec += *put_forward;
    return result;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    (void) zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


class Clock:
    """The clock of the processes that are started with :attr:`environment`.

    :param path: of the file that holds how far it is put forward
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(struct.pack("q", 0))
        self._path = path
        with path.open("r+b") as file:
            self._there = mmap.mmap(file.fileno(), 8)

    def put_forward(self, seconds: float) -> None:
        """Put it forward from where it is."""
        before = struct.unpack("q", self._there[:])[0]
        self._there[:] = struct.pack("q", before + int(seconds))


def environment(folder: Path) -> dict[str, str]:
    """Build the library, and return the environment of a process that has such a clock.

    :raises RuntimeError: there is no C compiler
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise RuntimeError("A year needs a C compiler (cc), for a clock that can be put forward. Install one.")
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(SOURCE)
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    # A thread of the allocator waits until a time of day, and that is not the kernel's here.
    allocator = {"_RJEM_MALLOC_CONF": "background_thread:false", "MALLOC_CONF": "background_thread:false"}
    return {**os.environ, **allocator, "LD_PRELOAD": str(library), OFFSET: str(folder / "clock")}
