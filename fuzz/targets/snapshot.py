"""Whole repositories whose checksums are right and whose objects say anything: what commands make of them."""

from __future__ import annotations

from pathlib import Path

from fuzz.forging import forge, whole
from fuzz.structure import MSGPACK
from icc_store.codec.serial import pack, unpack
from icc_store.errors import DamageError
from icc_store.model.attributes import attributes_of
from icc_store.model.content import content_bytes
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.walk import root_of, walk
from icc_store.operations.diff import diff
from icc_store.operations.tar_export import export_tar
from icc_store.operations.verify import VerifyOptions, verify

ALLOWED = (DamageError,)
FORMS = (MSGPACK,)


def fuzz_one(data: bytes) -> None:
    """Verify never raises, and what it finds whole, the others can read."""
    try:
        repository = forge(unpack(data), Path("nowhere"))
    except ValueError:
        return
    options = VerifyOptions(threads=1, mend=False)
    try:
        verify(repository, options=options)
    except DamageError as error:
        raise AssertionError("verify raises what it should tell") from error
    snapshots = repository.snapshots(forgotten=True)
    for snapshot in snapshots:
        found = verify(repository, snapshot, options=options)
        try:
            _read(repository, snapshot)
        except DamageError as error:
            if not found.damaged:
                raise AssertionError("verify finds it whole, and it cannot be read") from error
    for _ in diff(repository, (snapshots[0], snapshots[-1])) if snapshots else ():
        pass


def _read(repository: Repository, snapshot: Snapshot) -> None:
    for found in walk(repository.objects, root_of(snapshot.record)):
        attributes_of(repository.objects, found.entry)
        for _ in content_bytes(repository.objects, found.entry.chunk, found.entry.content_list):
            pass
    export_tar(repository, snapshot.record, target=len)


SEEDS = [pack(whole()), pack(whole()[:-1])]
