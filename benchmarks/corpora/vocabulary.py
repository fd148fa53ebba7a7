"""Sentences of software work from a seeded vocabulary, about as redundant as what people and agents write."""

import itertools
import random
import re
from collections.abc import Iterator, Sequence

_STEMS = """
account action adapter address agent alert alias allocation analysis anchor annotation archive argument array artifact
assertion asset attribute audit author backend backlog backup balance bandwidth banner barrier baseline batch behaviour
binary binding block boundary branch bridge broker browser bucket budget buffer build bundle cache callback candidate
capacity capture catalogue certificate chain change channel chart check checkpoint checksum chunk circuit class cleanup
client clock closure cluster code codec collection collector column command commit comparison compiler component
compression concern condition config conflict connection consumer container content context contract controller
conversion cookie copy core coroutine count coverage crash credential cron cursor customer cycle daemon dashboard
database dataset date deadline deadlock debugger decision decoder default defect delay delta dependency deployment
descriptor design device dialect dictionary diff digest directory disk dispatch document domain download draft driver
duration edge editor element encoder endpoint engine entity entry environment epoch error estimate event evidence
exception executor expiry export expression extension factory failure fallback feature feed fetch field file filter
fixture flag flow folder footer form format fragment frame framework function gateway generator graph group guard
handler hash header heap heartbeat hint history hook host identifier image import index ingest input insert install
instance integer interface interval invariant inventory iterator job journal kernel key label language latency layer
layout leak lease ledger level library limit line linter list listener loader lock log loop mapping marker mask matrix
measure memory merge message metadata method metric migration mirror mock mode model module monitor mutex namespace
network node notice number object observer offset operation operator option order origin outcome output overflow owner
package page parameter parent parser partition patch path pattern payload permission phase pipeline plan plugin pointer
policy pool port prefix priority probe process producer profile progress project prompt property protocol provider proxy
query queue quota race range ratio reader record recovery reference refactor region registry release relation remote
render replay replica report repository request resolver resource response result retention retry revision role
rollback route rule runner sample scanner schedule schema scope script search secret segment sequence serializer server
service session setting shard shell signal signature size snapshot socket source specification stack stage state
statement statistic status storage store strategy stream string structure style subscriber suffix suite summary switch
symbol table tag target task template tenant terminal test thread threshold throttle timeout timer timestamp token tool
topic trace transaction transfer tree trigger tuple type update upload usage user validation value variable vector
version view volume waiter warning watcher widget window worker wrapper writer zone
""".split()

_GLUE = """
the a to of and in is was when before after because so that with without from into only every still never both each
more than one two again first last not must should instead while until already where it this which for on at by
""".split()

_ACTS = """
adds applies assumes avoids blocks breaks builds calls catches checks cleans closes commits compares copies counts
creates decodes defers deletes detects drops emits encodes expires exposes fails falls fetches fixes flushes follows
forgets frees groups guards handles hides holds ignores imports inlines joins keeps leaks limits loads locks logs loses
masks matches measures merges misses moves needs notes opens overrides parses passes picks polls prefers prints prunes
raises reads rebuilds records refuses releases reloads removes renames repeats replaces requires resets resolves
restarts restores retries returns reuses rounds runs saves scans sends shares skips sorts splits starts stops stores
swallows tests times tracks trims truncates uses validates waits walks warns wraps writes yields
""".split()

_QUALITIES = """
absent async atomic bounded broken cached circular clean cold concurrent constant correct current dead deep dirty
distinct duplicate early eager empty exact explicit external fast final fixed flaky foreign frozen full global hidden
idle implicit incomplete inner internal invalid large late lazy legacy local locked long manual missing mixed mutable
narrow nested new noisy null old open optional orphaned outer partial pending plain public pure random raw recent
redundant related safe secondary shared short silent simple single slow small stable stale strict temporary thin total
truncated unique unknown unused urgent valid verbose weak wide wrong
""".split()

_SHAPE_TEXTS = (
    "{n} {a} the {q} {c} {g} {n} {a} {n} {n}",
    "When {n} {a} {q} {n}, {c} {g} {n} {a} {w}",
    "{q} {n} in `{w}` {a} {c} {g} {q} {n} {q} {n}",
    "Check that {n} {a} {g} {n} {g} {c}: {w} {a} {q} {n}",
    "{w}:{d} {a} {n} {g} {d} ms, {q} {n} {a} {c} {g} {d}",
    "The {n} of `{w}` {a} {q}; {c} {a} {n} {g} {n} {a} {d} {n}",
    "Since {h}: {q} {n} of {w} {a} {n} {g} {c}, {d} {n} {q}",
    "Use {q} {c} for {n} {g} {n} {a} {n} {a} {w}",
    "{c} {h} {a} {q} {n} {g} {n} {g} {n} {a} {q} {c}",
    "{q} {c} {a} {n} {a} {q} {n} {g} {n}, {a} {d} {q} {n}",
)

_REMARK_TEXTS = (
    " (see {h}, {w}:{d})",
    ", first seen in run {h}",
    "; {q} since {h}: {d} of {d} {n}",
    " (request {h}-{h} took {d} ms)",
)
_SLOT = re.compile(r"\{(\w)\}")
_SHAPES, _REMARKS = ([_SLOT.split(text) for text in texts] for texts in (_SHAPE_TEXTS, _REMARK_TEXTS))
"""Each shape as text, slot, text, slot, ..., text. Slots: noun, act, quality, glue, (code) word,
digits, hash, compound."""


class Writer:
    """Writes sentences and words from one seeded stream."""

    def __init__(self, rng: random.Random, symbols: Sequence[str]) -> None:
        self._rng = rng
        pools = {"n": _STEMS, "a": _ACTS, "q": _QUALITIES, "g": _GLUE, "w": symbols}
        self._streams = {slot: _endless(rng, words) for slot, words in pools.items()}
        self._streams |= {
            "d": (str(int(rng.random() ** 2 * 5000)) for _ in itertools.count()),
            "h": (f"{rng.getrandbits(32):08x}" for _ in itertools.count()),
            "c": (f"{rng.choice(_STEMS)}-{rng.choice(_STEMS)}" for _ in itertools.count()),
        }
        self._said: list[str] = []

    def sentence(self) -> str:
        """Return a new sentence or, about one time in fourteen, one said lately."""
        rng = self._rng
        if len(self._said) > 200 and rng.random() < 0.07:
            return self._said[int(rng.random() * len(self._said))]
        text = self._fill(_SHAPES[int(rng.random() * len(_SHAPES))])
        if rng.random() < 0.5:
            text += self._fill(_REMARKS[int(rng.random() * len(_REMARKS))])
        self._remember(text)
        return text

    def words(self, slot: str, count: int) -> list[str]:
        """Return `count` words of one kind, frequent ones more often."""
        return list(itertools.islice(self._streams[slot], count))

    def _fill(self, shape: Sequence[str]) -> str:
        pieces = list(shape)
        pieces[1::2] = [next(self._streams[slot]) for slot in shape[1::2]]
        text = "".join(pieces)
        return text[0].upper() + text[1:]

    def _remember(self, text: str) -> None:
        if len(self._said) < 4_000:
            self._said.append(text)
        else:
            self._said[int(self._rng.random() * 4_000)] = text


def _endless(rng: random.Random, words: Sequence[str]) -> Iterator[str]:
    """Yield words for ever, the nth about 1/(n+60) as often; drawn in batches, which is three times as fast."""
    weights = list(itertools.accumulate(1 / (rank + 60) for rank in range(len(words))))
    while True:
        yield from rng.choices(words, cum_weights=weights, k=1024)


def symbol_names(rng: random.Random, count: int) -> list[str]:
    """Return distinct names of functions, modules and files, as code has them."""
    names: dict[str, None] = {}
    while len(names) < count:
        parts = rng.sample(_STEMS, rng.randint(2, 3))
        form = rng.choice(("{}", "{}()", "src/{}.py", "tests/test_{}.py", "{}.ts"))
        names[form.format("_".join(parts))] = None
    return list(names)


def topic_words() -> Sequence[str]:
    """Return the nouns that tags, domains and index terms are drawn from."""
    return _STEMS
