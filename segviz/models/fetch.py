"""Download of weights files: verified, resumed after a broken connection, cached, never half-written."""

import hashlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from segviz.types import UserError

Progress = Callable[[int, int | None], object]
"""Told the bytes that are there and the bytes in all (None where the server does not say)."""

ATTEMPTS = 4
TIMEOUT_SECONDS = 20
CHUNK = 1 << 18


def cache_folder() -> Path:
    """Where downloaded weights live: the environment variable SEGVIZ_CACHE, or the platform's cache folder."""
    chosen = os.environ.get("SEGVIZ_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "segviz"


def fetch(url: str, file: Path, sha256: str, progress: Progress = lambda done, total: None) -> Path:
    """Have `file` hold what `url` serves, with the given sha256 (in full or its first digits); returns `file`.

    A file that is there with the right hash is taken as it is, wherever it came from. Otherwise the bytes go to `file`.part, which a later
    call continues, and only the verified whole takes the name `file`. Any number of threads and processes may ask at once: one
    downloads, the others wait for it. What `progress` raises ends the download and can be continued.
    Raises UserError where the address cannot be reached, the hash is wrong (the file is removed) or the folder cannot be written.
    """
    if file.is_file() and digest(file).startswith(sha256):
        # The folder may be one that cannot be written.
        return file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with locked(file.with_name(file.name + ".lock")):
            removed = ""
            if file.is_file():
                if digest(file).startswith(sha256):
                    return file
                file.unlink()
                removed = f" The {file.name} that was there had another sha256 and was removed."
            part = file.with_name(file.name + ".part")
            download(url, part, file, progress, removed)
            found = digest(part)
            if not found.startswith(sha256):
                part.unlink()
                raise UserError(
                    f"The download of {url} was refused and removed: its sha256 is {found}, expected {sha256}. "
                    f"Try again; if it stays so, the file at that address has changed."
                )
            os.replace(part, file)
            return file
    except OSError as error:
        raise UserError(f"Cannot write {file}: {error.strerror or error}. Set SEGVIZ_CACHE to a folder with enough space.") from None


def digest(file: Path) -> str:
    """sha256 of a file in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def download(url: str, part: Path, file: Path, progress: Progress, removed: str) -> None:
    """Complete `part` from `url`, starting again where the connection breaks; raises UserError once that has failed ATTEMPTS times."""
    reason = "the connection broke"
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(0.2 * 2**attempt)
        have = part.stat().st_size if part.is_file() else 0
        try:
            if receive(url, part, have, progress):
                return
        except urllib.error.HTTPError as error:
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                # The part is whole already, which the hash will tell, or worthless.
                if error.headers.get("Content-Range", "").rpartition("/")[2] == str(have):
                    return
                part.unlink()
                continue
            reason = f"the server answers {error.code} {error.reason}"
            if error.code < 500 and error.code not in (http.client.REQUEST_TIMEOUT, http.client.TOO_MANY_REQUESTS):
                break
        except ConnectionLostError as error:
            reason = str(error)
    raise UserError(
        f"{file.name} could not be downloaded ({reason}). Address: {url}. "
        f"Without a network, get that file some other way and put it at {file}; it is checked and then used.{removed}"
    )


class ConnectionLostError(Exception):
    """The network failed, as opposed to the disk."""


def receive(url: str, part: Path, have: int, progress: Progress) -> bool:
    """One request that appends to `part`, which holds `have` bytes; says whether all bytes came.

    Raises HTTPError for an answer that is a refusal and ConnectionLostError where there is no answer.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "segviz", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionLostError(getattr(error, "reason", None) or error) from None
    with answer:
        if answer.status != http.client.PARTIAL_CONTENT or not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab" if have else "wb") as stream:
            progress(have, total)
            while True:
                try:
                    chunk = answer.read(CHUNK)
                except (OSError, http.client.HTTPException) as error:
                    raise ConnectionLostError(error) from None
                if not chunk:
                    return total is None or have == total
                stream.write(chunk)
                have += len(chunk)
                progress(have, total)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock that excludes other threads and processes; the system lets go of it if the process dies."""
    with file.open("a") as stream:
        if sys.platform == "win32":
            import msvcrt

            while True:
                try:
                    msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError:
                    continue
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
