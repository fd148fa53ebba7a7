"""A backup of a memory on its way in: where in an archive or directory the memory is, and whether it is what it says.

People wrap a memory in all sorts of ways: `backup-YYYYMMDD-HHMMSS/`, `memory/`, `home/ada/.claude/memory/`, or not at
all. A chain of directories that hold nothing else is taken off, down to the one with `entities` in it. `manifest.json`
and `SHA256SUMS` there are of the backup and not of the memory. Every file is then read back from the repository and
compared with the listing: one that differs is kept and told, since half of a memory is better than none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from icc_store.entities.backup_claims import NO_CLAIMS, Claims, read_claims
from icc_store.entities.checksums import MANIFEST_NAME, NOT_LISTED, SUMS_NAME, integrity_hash, parse_sums
from icc_store.entities.profiles import BY_NAME, GENERIC
from icc_store.errors import PathNotInSnapshot, UsageError
from icc_store.limits import MAX_LISTING_FILE, MAX_MANIFEST_FILE
from icc_store.model.paths import join
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.manifest import is_complete, keep_notes, notes_of, notes_of_survey, profile_of
from icc_store.operations.memory.path_order import files_by_path
from icc_store.operations.memory.survey import read_facts, survey
from icc_store.operations.resolve import check_name

TOO_LARGE = b"\0"
"""Stands for a file that is not looked at; it is neither a listing nor JSON."""

Warnings = tuple[tuple[bytes, str], ...]
"""Stored paths, empty for the whole, and messages."""


@dataclass(frozen=True)
class Papers:
    """What came with a memory: its manifest, and the listing of its files."""

    claims: Claims = NO_CLAIMS
    listing: bytes | None = None
    own: tuple[bytes, ...] = ()
    """Names of the files that are the backup's own, and not of the memory."""
    warnings: Warnings = ()


@dataclass(frozen=True)
class Proof:
    """What a comparison came to."""

    checked: int | None = None
    """Files that are what the listing says; None without a listing."""
    problems: Warnings = ()
    """Files that are not, or are missing."""
    warnings: Warnings = ()


def memory_in(names: Callable[[bytes], Mapping[bytes, bool]]) -> bytes | None:
    """Where a memory or its backup stands, below directories that hold nothing else; None where there is none.

    `names` says what is in a directory, and whether each is a directory.
    """
    path = b""
    while True:
        found = names(path)
        if found.get(b"entities") or (found.keys() >= NOT_LISTED and not any(found[name] for name in NOT_LISTED)):
            return path
        if len(found) != 1 or not all(found.values()):
            return None
        path = join(path, next(iter(found)))


def papers_of(read: Callable[[bytes, int], bytes | None]) -> Papers:
    """The papers of a memory, whatever it stands in.

    `read` gives the bytes of a regular file beside `entities`: None where there is no such file, TOO_LARGE for one that
    is larger than the limit.
    """
    own, warnings = [], []
    claims, listing = NO_CLAIMS, read(SUMS_NAME, MAX_LISTING_FILE)
    if listing is not None and _is_listing(listing):
        own.append(SUMS_NAME)
    elif listing is not None:
        warnings.append((SUMS_NAME, "it is no listing of sha256sum, and is kept as a file of the memory"))
        listing = None
    manifest = read(MANIFEST_NAME, MAX_MANIFEST_FILE)
    said = read_claims(manifest) if manifest is not None else None
    if said is not None:
        own.append(MANIFEST_NAME)
        claims = said
        try:
            if claims.name:
                check_name(claims.name)
        except UsageError as error:
            warnings.append((b"", f"the name of the backup is not kept: {error.message}"))
            claims = replace(claims, name="")
        if claims.selective:
            warnings.append((b"", "the backup is a selective one: something was left out of it on purpose"))
    elif manifest is not None:
        warnings.append((MANIFEST_NAME, "it is not the manifest of a backup, and is kept as a file of the memory"))
    return Papers(claims, listing, tuple(own), tuple(warnings))


def _is_listing(data: bytes) -> bool:
    try:
        for _ in parse_sums(data):
            pass
    except ValueError:
        return False
    return True


def settle(repository: Repository, snapshot: Snapshot, papers: Papers, *, monitor: Monitor = SILENT) -> Proof:
    """Compare what was stored with its listing, and give the snapshot a manifest that says how that went.

    Raises ObjectMissing, BlockDamaged.
    """
    monitor.phase("check")
    notes = notes_of(snapshot)
    made = notes is None or not is_complete(notes)
    if notes is None or made:
        profile = BY_NAME.get(papers.claims.profile) or profile_of(repository, snapshot)
        if profile is not GENERIC:
            notes = notes_of_survey(profile, survey(repository.objects, snapshot.record.root, profile))
    proof = _prove(repository, snapshot, papers, notes["digest"] if notes is not None else b"")
    if notes is not None and (made or proof.problems):
        if proof.problems:
            what = f"{len(proof.problems)} files are not what SHA256SUMS of the imported backup says"
            notes |= {"passed": False, "failures": [*notes.get("failures", ()), what]}
        keep_notes(repository, snapshot, notes)
    return proof


def _prove(repository: Repository, snapshot: Snapshot, papers: Papers, digest: bytes) -> Proof:
    if papers.listing is None:
        return Proof()
    if hashlib.sha256(papers.listing).digest() == digest:
        proof = Proof(papers.listing.count(b"\n"))
    else:
        proof = _compare(repository, snapshot, papers.listing)
    claimed = papers.claims.integrity_hash
    if claimed and claimed != integrity_hash(papers.listing):
        problem = (b"", "manifest.json and SHA256SUMS of the backup do not belong together: another integrity_hash")
        return Proof(proof.checked, (*proof.problems, problem), proof.warnings)
    return proof


def _compare(repository: Repository, snapshot: Snapshot, listing: bytes) -> Proof:
    """Each file with its line. The listing may be in any order, and written in any way that sha256sum knows."""
    expected = {path: digest for path, digest in parse_sums(listing) if path not in NOT_LISTED}
    problems: dict[bytes, str] = {}
    warnings: dict[bytes, str] = {}
    checked = 0
    for path, wire, _ in files_by_path(repository.objects, snapshot.record.root):
        repository.objects.renew()
        digest = expected.pop(path, None)
        if digest is None:
            warnings[path] = "it is not listed in SHA256SUMS of the backup, so nothing proves it"
        elif read_facts(repository.objects, path, wire, None)[0] != digest:
            problems[path] = "it is not what SHA256SUMS of the backup says; it is stored as it is"
        else:
            checked += 1
    for path in expected:
        try:
            lookup(repository.objects, snapshot.record, path)
        except PathNotInSnapshot:
            problems[path] = "it is listed in SHA256SUMS of the backup, and missing"
    return Proof(checked, tuple(problems.items()), tuple(warnings.items()))
