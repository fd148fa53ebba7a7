"""A repository with parity that is kept for ever, read and repaired by the program and from the format's text alone."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path

import pytest

from icc_store.model.header import FORMAT_VERSION, read_header
from icc_store.opening import open_repository
from icc_store.operations.parity import status
from icc_store.operations.verify import VerifyOptions, verify
from tests import independent_parity
from tests.golden.unpacked import unpack
from tests.support.live import contents
from tests.support.mending import repaired, zero_pages

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden repository with parity, unpacked."""
    place = tmp_path_factory.mktemp("golden")
    unpack(GOLDEN / f"parity-v{FORMAT_VERSION}.tar.xz", place)
    return place / f"parity-v{FORMAT_VERSION}"


@pytest.fixture
def path(golden: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(golden, tmp_path / "repository")


def assert_as_it_was(path: Path) -> None:
    """All its snapshots hold what they held, and nothing is wrong."""
    expected = json.loads((path / "expected.json").read_text())
    with open_repository(path, readonly=True) as repository:
        assert verify(repository, options=VerifyOptions(mend=False)).findings == ()
        found = {
            one.record.name: {
                name: hashlib.sha256(data).hexdigest() for name, data in contents(repository, one).items()
            }
            for one in repository.snapshots(forgotten=True)
        }
    assert found == expected


def test_it_is_sound(path: Path) -> None:
    """verify finds nothing, and everything that parity is made of is in it."""
    assert_as_it_was(path)
    with open_repository(path, readonly=True) as repository:
        found = status(repository)
    assert found.whole
    assert found.permille == 50
    assert min(found.groups, found.covered, found.copied, found.removed) > 0


@pytest.mark.parametrize("seed", range(3))
def test_the_program_repairs_it(path: Path, seed: int) -> None:
    """What parity of that time is for comes back today, and what was removed then does not."""
    zero_pages(path / "data.mdb", 0.05, random.Random(seed))
    assert not repaired(path).parity.lost
    assert_as_it_was(path)


def test_the_text_of_the_format_is_enough(path: Path) -> None:
    """Whoever has docs/format.md brings lost blocks back: sums, cells, second copies and removals are as it says."""
    identity = read_header(path).repository
    blocks = independent_parity.stored_blocks(path)
    newest = independent_parity.read_newest(path / "parity" / "newest", identity)
    group = independent_parity.read_group(path / "parity" / "0000000001.parity", identity)
    assert newest.state[0] == group.permille == 50
    assert newest.removed
    assert newest.removed.isdisjoint(blocks)
    assert {number: blocks[number] for number in newest.copies if number in blocks}
    assert all(newest.copies[number] == data for number, data in blocks.items() if number not in group.numbers)
    left = dict(blocks)
    lost = {number: left.pop(number) for number in list(group.numbers)[:3] if number in left}
    back = independent_parity.bring_back(group, left)
    assert lost
    assert lost.items() <= back.items()
    assert back.keys() == set(group.numbers) - left.keys()


def test_the_text_is_read_without_the_program() -> None:
    """The reader of the format's text takes nothing from the program."""
    assert "import icc_store" not in Path(independent_parity.__file__).read_text()
    assert "from icc_store" not in Path(independent_parity.__file__).read_text()
