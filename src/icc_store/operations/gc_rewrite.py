"""What of a frame is needed, when its block is to be written anew with nothing else in it."""

from __future__ import annotations

from itertools import accumulate

from icc_store.limits import DEFAULT_LEVEL
from icc_store.objects.block import Block, Frame
from icc_store.objects.encoder import Group, encode_frame


def bytes_alive(block: Block, number: int, needed: int) -> float:
    """About how many stored bytes of a frame are needed: its share by plain bytes."""
    return len(block.frames[number].stored) * share_alive(block, number, needed)


def share_alive(block: Block, number: int, needed: int) -> float:
    """Which share of a frame's plain bytes is needed."""
    frame, first = block.frames[number], block.firsts[number]
    everything = (1 << len(frame.ids)) - 1
    bits = needed >> first & everything
    if bits in (0, everything):
        return float(bits == everything)
    kept = sum(length for at, length in enumerate(frame.lengths) if bits >> at & 1)
    return kept / max(frame.plain_size, 1)


def reencoded(frame: Frame, kept: list[int], plain: bytes, base_data: bytes) -> Frame:
    """A frame with some of the objects of another, against the same bases."""
    starts = [0, *accumulate(frame.lengths)]
    group = Group(
        frame.kind,
        tuple(frame.ids[at] for at in kept),
        tuple(plain[starts[at] : starts[at + 1]] for at in kept),
        frame.bases,
        base_data,
        frame.depth,
        frame.cost,
    )
    return encode_frame(group, DEFAULT_LEVEL)
