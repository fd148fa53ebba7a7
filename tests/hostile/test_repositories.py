"""A repository made by an enemy: every checksum is right, and everything else is as bad as can be.

Whatever a command is given, it ends within bounds of memory and time, says damage by exit code 6 or counts it by 3, and
writes nothing outside of the directory it was told to write to.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from icc_store.codec.compression import compress
from icc_store.codec.hashing import chunk_id
from icc_store.codec.serial import pack
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.limits import MAX_OBJECT_SIZE, MIB
from icc_store.objects.block import ZSTD, Frame
from icc_store.opening import create_repository, open_repository
from tests.support.bounded import one_after_another
from tests.support.forged import DIRECTORY, FILE, LINK, Forge, content_list, part, wire
from tests.support.program import Done, Program

RESTORE = ("restore", "forged", "--target", "TARGET")
EXPORT = ("export", "forged", "--tar", "OUT")
READING = (
    ("ls", "forged", "-R"),
    ("find", "*"),
    RESTORE,
    EXPORT,
    ("verify",),
    ("stats",),
    ("gc",),
    ("copy", "COPY"),
)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory with an empty repository, and something outside of every target that must stay as it is."""
    create_repository(tmp_path / "r")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_bytes(b"precious")
    (tmp_path / "home").mkdir()
    yield tmp_path
    assert os.listdir(tmp_path / "outside") == ["precious"]
    assert (tmp_path / "outside" / "precious").read_bytes() == b"precious"
    allowed = {"r", "outside", "home", "back", "out.tar", "copy"}
    assert set(os.listdir(tmp_path)) <= allowed
    subprocess.run(["rm", "-rf", tmp_path / "back"], check=True)  # deeper than pytest can remove


def forge(place: Path, make: Callable[[Forge], object]) -> None:
    with open_repository(place / "r") as repository:
        make(Forge(repository))


def run(place: Path, *commands: tuple[str, ...]) -> list[Done]:
    """Commands within bounds. They may find damage, and never fall over it."""
    names = {"TARGET": place / "back", "OUT": place / "out.tar", "COPY": place / "copy"}
    program = Program(place / "r", os.environ | {"HOME": str(place / "home")})
    done = one_after_another(program, [[str(names.get(one, one)) for one in arguments] for arguments in commands])
    for arguments, one in zip(commands, done, strict=True):
        assert "internal error" not in one.err, (arguments, one)
        assert "-v" in arguments or "Traceback" not in one.err, (arguments, one)
        assert one.code in {0, 1, 2, 3, 4, 6, 8}, (arguments, one.code, one.err[-400:])
    return done


def codes(place: Path, *commands: tuple[str, ...]) -> dict[str, int]:
    """What commands, those that read if none are named, end with, by their names."""
    commands = commands or READING
    return {arguments[0]: done.code for arguments, done in zip(commands, run(place, *commands), strict=True)}


# ------------------------------------------------------------------------------------ bombs


def test_a_frame_that_swells(place: Path) -> None:
    """A frame holds as many bytes as its block says, or it is damage: 4 GiB of zeros are never made."""
    zeros = compress(bytes(64 * MIB), 3)

    def make(forge: Forge) -> None:
        identity = chunk_id(b"x")
        forge.block([Frame(Kind.CHUNK, ZSTD, (identity,), (5,), zeros)])
        forge.snapshot(forge.tree(wire(b"bomb", key5=5, key7=identity)))

    forge(place, make)
    found = codes(place)
    assert found["verify"] == 6
    assert found["restore"] == 6
    assert not (place / "back" / "bomb").exists()


def test_a_frame_with_a_thousand_bases(place: Path) -> None:
    """What stands before a frame is bounded: a thousand bases of 16 MiB each are not gathered in memory."""

    def make(forge: Forge) -> None:
        bases = [forge.squeezed(Kind.CHUNK, bytes([each]) * MAX_OBJECT_SIZE) for each in range(4)]
        keys = tuple(one[:KEY_SIZE] for one in bases) * 250
        identity = chunk_id(b"small")
        forge.block([Frame(Kind.CHUNK, ZSTD, (identity,), (5,), compress(b"small", 3), keys, 1, 5)])
        forge.snapshot(forge.tree(wire(b"bomb", key5=5, key7=identity)))

    forge(place, make)
    found = codes(place)
    assert found["restore"] == 6
    assert found["verify"] == 6


@pytest.mark.slow
def test_chains_of_deltas_that_branch(place: Path) -> None:
    """Reading one object decodes so much and no more, though its bases have bases that have bases, two each."""

    def make(forge: Forge) -> None:
        level = [forge.squeezed(Kind.CHUNK, bytes([each]) * (6 * MIB)) for each in range(2)]
        for depth in range(1, 10):
            new = []
            for which in range(2):
                data = bytes([depth, which]) * (3 * MIB)
                keys = tuple(one[:KEY_SIZE] for one in level)
                frame = Frame(Kind.CHUNK, ZSTD, (chunk_id(data),), (len(data),), compress(data, 3), keys, depth, 1)
                forge.block([frame])
                new.append(chunk_id(data))
            level = new
        forge.snapshot(forge.tree(wire(b"bomb", key5=6 * MIB, key7=level[0])))

    forge(place, make)
    assert codes(place, RESTORE, ("verify",)) == {"restore": 6, "verify": 6}


def test_files_larger_than_any_disk(place: Path) -> None:
    """Sizes of exabytes, by holes or by one chunk a million times, are told as what cannot be restored."""

    def make(forge: Forge) -> None:
        hole = forge.put(Kind.LIST, content_list(0, [bytes(32)], [(1 << 63) - 1]))
        forge.snapshot(forge.tree(wire(b"hole", key5=(1 << 63) - 1, key8=hole)))

    forge(place, make)
    assert codes(place, RESTORE, ("verify",)) == {"restore": 3, "verify": 0}


# ------------------------------------------------------------------------------------ what contains itself


def test_a_tree_and_a_list_that_contain_themselves(place: Path) -> None:
    """An object under another id than its own is damage, so nothing can lead back to itself."""
    tree, listed = ObjectId(b"t" * 32), ObjectId(b"l" * 32)

    def make(forge: Forge) -> None:
        forge.put(Kind.TREE, part(wire(b"again", DIRECTORY, key9=tree)), tree)
        forge.put(Kind.LIST, content_list(1, [listed], [10]), listed)
        root = forge.tree(wire(b"file", key5=10, key8=listed), wire(b"tree", DIRECTORY, key9=tree))
        forge.snapshot(root)

    forge(place, make)
    found = codes(place)
    assert found["verify"] == 6
    assert found["restore"] == 6


def test_deltas_in_a_ring(place: Path) -> None:
    """Two objects written against each other cannot be read, and reading them ends."""
    one, two = chunk_id(b"one"), chunk_id(b"two")

    def make(forge: Forge) -> None:
        for own, other, depth in ((one, two, 2), (two, one, 2)):
            frame = Frame(Kind.CHUNK, ZSTD, (own,), (3,), compress(b"one", 3), (other[:KEY_SIZE],), depth, 1)
            forge.block([frame])
        forge.snapshot(forge.tree(wire(b"ring", key5=3, key7=one)))

    forge(place, make)
    found = codes(place)
    assert (found["verify"], found["restore"]) == (6, 6)


@pytest.mark.slow
def test_forty_directories_with_two_names_each(place: Path) -> None:
    """2^40 files made of forty objects: what looks at objects sees forty; what visits every path refuses them."""

    def make(forge: Forge) -> None:
        tree = forge.tree(wire(b"a"), wire(b"b"))
        for _ in range(40):
            tree = forge.tree(wire(b"a", DIRECTORY, key9=tree), wire(b"b", DIRECTORY, key9=tree))
        forge.snapshot(tree)

    forge(place, make)
    assert set(codes(place, ("gc",), ("copy", "COPY"), ("list",)).values()) == {0}
    assert set(codes(place, ("ls", "forged", "-R"), RESTORE, EXPORT, ("find", "*")).values()) == {1}
    assert codes(place, ("verify",)) == {"verify": 6}


@pytest.mark.slow
@pytest.mark.parametrize("depth", [4090, 6000])
def test_directories_below_each_other(place: Path, depth: int) -> None:
    """As deep as the limit everything works; beyond it is damage, and no stack overflows."""

    def make(forge: Forge) -> None:
        forge.snapshot(forge.chain(depth, lambda tree: part(wire(b"d", DIRECTORY, key9=tree))))

    forge(place, make)
    found = codes(place, ("ls", "forged", "-R"), RESTORE, ("verify",))
    assert set(found.values()) == ({0} if depth < 4096 else {6})


def test_nodes_above_each_other(place: Path) -> None:
    """Levels of nodes without end are damage, in trees and in content lists."""

    def make(forge: Forge) -> None:
        tree = forge.chain(20, lambda tree: pack({4: [[b"f", tree]]}))
        inner = forge.put(Kind.LIST, content_list(0, [forge.put(Kind.CHUNK, b"x")], [1]))
        for level in range(1, 12):
            inner = forge.put(Kind.LIST, content_list(level, [inner] * 2, [2 ** (level - 1)] * 2))
        root = forge.tree(wire(b"d", DIRECTORY, key9=tree), wire(b"l", key5=2**11, key8=inner))
        forge.snapshot(root)

    forge(place, make)
    assert codes(place)["restore"] == 6
    assert (place / "back" / "l").read_bytes() == b"x" * 2**11


@pytest.mark.parametrize("mode", [FILE, LINK])
@pytest.mark.parametrize("size", [{}, "5", 0.5])
def test_a_size_that_is_no_number(place: Path, mode: int, size: object) -> None:
    """It is damage where it is met, also where an entry needs none; what stands beside it is restored."""

    def make(forge: Forge) -> None:
        chunk = forge.put(Kind.CHUNK, b"gotcha")
        what = {"key10": b"there"} if mode == LINK else {"key7": chunk}
        bad = forge.tree(wire(b"a", mode, key5=size, **what))
        forge.snapshot(forge.tree(wire(b"d", DIRECTORY, key9=bad), wire(b"good", key5=6, key7=chunk)))

    forge(place, make)
    found = codes(place)
    assert (found["verify"], found["restore"]) == (6, 6)
    assert (place / "back" / "good").read_bytes() == b"gotcha"


# ------------------------------------------------------------------------------------ names and links


@pytest.mark.parametrize("name", [b"..", b".", b"../outside/precious", b"/etc/passwd", b"a\0b", b"", b"x" * 5000])
def test_names_that_lead_away(place: Path, name: bytes) -> None:
    """A name that is none is damage wherever it is met, and is never given to the system."""

    def make(forge: Forge) -> None:
        chunk = forge.put(Kind.CHUNK, b"gotcha")
        bad = forge.tree(wire(name, key5=6, key7=chunk))
        forge.snapshot(forge.tree(wire(b"d", DIRECTORY, key9=bad), wire(b"good", key5=6, key7=chunk)))

    forge(place, make)
    found = codes(place)
    assert found["restore"] == (3 if len(name) > 4000 else 6)
    assert (place / "back" / "good").read_bytes() == b"gotcha"
    assert found["verify"] == (0 if len(name) > 4000 else 6)


def test_links_that_lead_away(place: Path) -> None:
    """Links are restored as they are and never followed: nothing is written, linked or changed where they lead."""
    outside = os.fsencode(place / "outside")

    def make(forge: Forge) -> None:
        chunk = forge.put(Kind.CHUNK, b"gotcha")
        entries = [
            wire(b"a", LINK, key10=outside),
            wire(b"b", key5=6, key7=chunk, key14=b"a/precious"),
            wire(b"c", LINK, key10=b"../outside/precious"),
            wire(b"e", key5=6, key7=chunk, key14=b"c"),
        ]
        forge.snapshot(forge.tree(*entries))

    forge(place, make)
    for _ in range(2):  # the second time the links are there already
        run(place, (*RESTORE, "--overwrite", "always"), EXPORT)
        assert os.readlink(os.fsencode(place / "back" / "a")) == outside
        for name in ("b", "e"):
            if (place / "back" / name).is_file() and not (place / "back" / name).is_symlink():
                assert (place / "back" / name).read_bytes() == b"gotcha"


@pytest.mark.parametrize("path", [b"../outside/precious", b"/etc/passwd", b"a/../b", b"", b"a\0"])
def test_hard_links_by_a_path_that_is_none(place: Path, path: bytes) -> None:
    """The path of another name of a file is a stored path, or the entry is damage."""

    def make(forge: Forge) -> None:
        chunk = forge.put(Kind.CHUNK, b"gotcha")
        forge.snapshot(forge.tree(wire(b"b", key5=6, key7=chunk, key14=path)))

    forge(place, make)
    assert codes(place)["verify"] == 6


# ------------------------------------------------------------------------------------ numbers and records


@pytest.mark.parametrize(
    "fields",
    [
        {"key5": -1},
        {"key5": 1 << 63},
        {"key5": "5"},
        {"key2": "x"},
        {"key3": -1},
        {"key3": 1 << 40},
        {"key6": bytes(400)},
        {"key6": b"\xff" * 9},
        {"key15": "x"},
        {"key99": 1},
        {"key12": {b"user.a": 1}},
        {"key12": {b"user.a": bytes(70_000)}},
        {"key11": [1, 2]},
        {"key16": b"short"},
    ],
)
def test_fields_that_cannot_be(place: Path, fields: dict[str, object]) -> None:
    """Numbers, times and attributes beyond everything are damage, or are told as what could not be given."""

    def make(forge: Forge) -> None:
        forge.snapshot(forge.tree(wire(b"f", **fields)))

    forge(place, make)
    codes(place)


@pytest.mark.parametrize(
    ("name", "mode", "fields"),
    [
        (b"target", LINK, {"key10": b"a\0b"}),
        (b"attribute", FILE, {"key12": {b"user.a\0b": b"x"}}),
        (b"time", FILE, {"key6": b"\x7f" + b"\xff" * 4999}),
        (b"later", FILE, {"key6": ((1 << 63) * 10**9).to_bytes(13, signed=True)}),
        (b"latest", FILE, {"key6": ((1 << 63) * 10**9 - 1).to_bytes(13, signed=True)}),
        (b"device", 0o020666, {"key11": [(1 << 32) - 1, (1 << 32) - 1]}),
        (b"owner", 0o104755, {"key3": (1 << 32) - 1, "key4": (1 << 32) - 1, "key5": 0}),
    ],
)
def test_what_no_system_call_takes(place: Path, name: bytes, mode: int, fields: dict[str, object]) -> None:
    """One entry that cannot be given to the system is told, and everything beside it comes back."""

    def make(forge: Forge) -> None:
        bad = forge.tree(wire(name, mode, **fields))
        good = wire(b"good", key5=4, key7=forge.put(Kind.CHUNK, b"good"))
        forge.snapshot(forge.tree(wire(b"d", DIRECTORY, key9=bad), good))

    forge(place, make)
    looks = (("ls", "forged", "-R", "-l"), ("ls", "forged", "-R", "--json"), ("diff", "forged", "TARGET"))
    found = codes(place, *READING, *looks)
    assert (place / "back" / "good").read_bytes() == b"good"
    assert found["restore"] in {0, 3, 6}


ABOUT = (
    ("list",),
    ("show", "forged"),
    ("manifest", "forged"),
    ("health",),
    ("diff", "forged", "TARGET"),
    (*RESTORE, "--delete", "--yes"),
    ("history", "f"),
    ("search", "x"),
    ("list", "--json"),
)
_RECORDS = [
    {"time_ns": (1 << 64) - 1},
    {"time_ns": -(1 << 63)},
    {"paths": (b"\0", b"/" * 5000, b"../..")},
    {"paths": ()},
    {"exclusions": {"patterns": 5, "never": [1]}},
    {"exclusions": {"patterns": [b"*a" * 500]}},
    {"manifest": {1: 5, 3: "x", 4: 7}},
    {"manifest": {1: "icc", 3: [1], 4: bytes(32), 5: True}},
    {"root_entry": {0: 5}},
    {"root_entry": {1: b"x", 2: LINK}},
    {"warnings": ((b"\x1b[2J", "\x1b[31m"),) * 1000},
    {"counters": None},
]


@pytest.mark.parametrize("fields", _RECORDS, ids="-".join)
def test_records_that_say_anything(place: Path, fields: dict[str, object]) -> None:
    """Whatever a record says, all commands about its snapshot end as they should."""
    from icc_store.model.record import Counters

    if "counters" in fields:
        fields = {"counters": Counters(*[(1 << 64) - 1] * 11)}

    def make(forge: Forge) -> None:
        forge.snapshot(forge.tree(wire(b"f", key5=1, key7=forge.put(Kind.CHUNK, b"x"))), **fields)

    forge(place, make)
    run(place, *READING, *ABOUT)


# ------------------------------------------------------------------------------------ terminals

_ORDER = "\x1b]0;owned\x07\x1b[2J\r\u202egnp.exe\x9b31m"


def test_no_orders_to_the_terminal(place: Path) -> None:
    """Names, tags, notes and messages of a repository reach no terminal as orders, on stdout or stderr."""
    order = _ORDER.encode()

    def make(forge: Forge) -> None:
        missing = chunk_id(b"never stored")
        root = forge.tree(wire(order, key5=1, key7=missing), wire(order + b"d", DIRECTORY, key9=forge.tree()))
        forge.snapshot(
            root,
            source=_ORDER,
            host=_ORDER,
            name=_ORDER,
            tags=(_ORDER,),
            note=_ORDER,
            program=_ORDER,
            paths=(b"/" + order,),
            warnings=((order, _ORDER),),
            manifest={1: "icc", 8: _ORDER},
        )

    forge(place, make)
    (place / "r" / "write.lock").write_text(_ORDER)
    commands = (
        ("list",),
        ("show", "latest"),
        ("ls", "latest", "-R"),
        ("find", "*"),
        ("verify",),
        ("-v", "verify"),
        ("manifest", "latest"),
        ("restore", "latest", "--target", "TARGET"),
        ("restore", "latest", "--target", "TARGET", "--dry-run"),
        ("diff", "latest", "TARGET"),
        ("export", "latest", "--tar", "OUT"),
        ("stats",),
        ("gc", "--explain"),
        ("health",),
        ("cat", "latest", _ORDER),
        ("restore", _ORDER),
        ("list", "--source", _ORDER),
    )
    for arguments, done in zip(commands, run(place, *commands), strict=True):
        for text in (done.out, done.err):
            assert not set(text) & set("\x1b\x07\r\x9b\u202e"), (arguments, text)
