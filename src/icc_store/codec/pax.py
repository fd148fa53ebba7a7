"""PAX extended header records: `length key=value` lines that say what a ustar header has no room for.

Keys and values are bytes. POSIX wants values in UTF-8; where a name is not, the record `hdrcharset=BINARY` says so.
"""

from __future__ import annotations

from typing import Final

from icc_store.limits import MAX_PAX_LENGTH_DIGITS

Records = dict[bytes, bytes]

NS: Final = 1_000_000_000


def pack_records(records: Records) -> bytes:
    """The records in the order given."""
    return b"".join(_record(key, value) for key, value in records.items())


def parse_records(data: bytes) -> list[tuple[bytes, bytes]]:
    """The records in `data`, in order; a key may come twice. Raises ValueError."""
    found = []
    at = 0
    while at < len(data) and data[at]:
        space = data.find(b" ", at, at + MAX_PAX_LENGTH_DIGITS)
        digits = data[at:space] if space > at else b""
        if not digits.isdigit():
            raise ValueError("a PAX record does not begin with its length")
        end = at + int(digits)
        equals = data.find(b"=", space, end)
        if end > len(data) or equals < 0 or data[end - 1 : end] != b"\n" or equals == space + 1:
            raise ValueError("a PAX record is not as long as it says")
        found.append((data[space + 1 : equals], data[equals + 1 : end - 1]))
        at = end
    if any(data[at:]):
        raise ValueError("something stands after the end of PAX records")
    return found


def pack_time(ns: int) -> bytes:
    """A time as decimal seconds, exact to the nanosecond."""
    seconds, rest = divmod(abs(ns), NS)
    sign = b"-" if ns < 0 else b""
    return sign + (b"%d.%09d" % (seconds, rest)).rstrip(b"0").rstrip(b".")


def parse_time(value: bytes) -> int:
    """Nanoseconds of decimal seconds; what is finer than a nanosecond is cut off. Raises ValueError."""
    whole, _, fraction = value.strip().partition(b".")
    negative = whole.startswith(b"-")
    whole = whole.removeprefix(b"-") or b"0"
    if not whole.isdigit() or (fraction and not fraction.isdigit()):
        raise ValueError(f"{value[:40]!r} is not a time")
    ns = parse_number(whole) * NS + int(fraction[:9].ljust(9, b"0"))
    return -ns if negative else ns


def parse_number(value: bytes) -> int:
    """A decimal number of at most 20 digits. Raises ValueError."""
    if not value.isdigit() or len(value) > 20:
        raise ValueError(f"{value[:40]!r} is not a number")
    return int(value)


def _record(key: bytes, value: bytes) -> bytes:
    """The length in front counts itself, so that one more digit may need one more digit."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)
