"""Files: read as letters from a stranger are, and written whole or not at all.

A results folder may come from somebody else. What is read is a regular file of a bounded size, never a pipe or a device
that gives no end; what is written goes to a new file of a random name that then takes the place of the old one, so that
no link leads it elsewhere, and a reader sees the old content or the new.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)

PART = ".part"
"""How the name of a file ends that is still being written; it begins with a full stop."""


def memory() -> float:
    """Bytes of the machine's memory; infinite where the system does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return float("inf")


def read(path: str | Path, most: float = float("inf")) -> bytes:
    """The content of a regular file.

    most: the bytes that it may have; never more than a quarter of the machine's memory.

    Raises `FileNotFoundError`, or another `OSError` where it cannot be read, is no regular file, or is too large.
    """
    most = min(most, memory() / 4)
    with open(os.open(path, os.O_RDONLY | _NONBLOCK), "rb") as file:  # a pipe without a writer would be waited for
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        if status.st_size > most:
            raise OSError(errno.EFBIG, f"it has {status.st_size:,} bytes, and may have {most:,.0f}", str(path))
        return file.read()


def write(folder: Path, name: str | Path, content: bytes) -> None:
    """Replace a file in a folder, or in a subfolder, which is made: at any moment the old or the new content is there.

    Raises `OSError` where it cannot be written, or where the subfolder is a link.
    """
    *inside, last = Path(name).parts
    temporary = f".{last}.{secrets.token_hex(8)}{PART}"
    with opened(folder, inside) as handle:
        try:
            _write_durably(temporary, content, handle)
            os.replace(temporary, last, src_dir_fd=handle, dst_dir_fd=handle)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=handle)
            raise
        os.fsync(handle)


def obstacle(path: str | Path) -> str:
    """Why no file can be written at a path of the user's, before there is one to write; empty where it can."""
    path = Path(os.path.realpath(path))
    if path.is_dir():
        return "it is a folder"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    return "" if os.access(path if path.exists() else path.parent, os.W_OK) else "it cannot be written"


def save(path: str | Path, content: bytes) -> None:
    """Write a file at a path of the user's, through links; whole, unless it goes to a device such as `/dev/stdout`."""
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        path.write_bytes(content)
    else:
        write(path.parent, path.name, content)


@contextmanager
def opened(folder: Path, inside: list[str]) -> Iterator[int]:
    """A handle of a folder, or of a folder inside it, which is made and must not be a link."""
    handle = os.open(folder, _FOLDER)
    try:
        for part in inside:
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=handle)
            below = os.open(part, _FOLDER | _NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)


def _write_durably(name: str, content: bytes, folder: int) -> None:
    """Write a new file, force it to the disk, and read it back."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW
    with open(os.open(name, flags, 0o666, dir_fd=folder), "w+b") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        if file.read() != content:
            raise OSError("what was written reads back differently")
