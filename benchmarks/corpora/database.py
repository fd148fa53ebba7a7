"""A SQLite database that is being written to: accounts, and transfers between them that never change their sum.

`python -m benchmarks.corpora.database FOLDER` writes until it gets a line on standard input or that ends.
"""

import random
import select
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

NAME = "live.db"
_BALANCE = 1_000
_NOTE_BYTES = 700
_PAUSE_SECONDS = 0.005
_ROWS_A_CHANGE = 4


def build(target: Path, size: int, seed: int) -> None:
    """Make a database of about `size` bytes in the missing directory `target`."""
    target.mkdir(parents=True)
    rng = random.Random(f"database {seed}")
    with closing(sqlite3.connect(target / NAME)) as database:
        database.execute("PRAGMA journal_mode = wal")
        database.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, note BLOB NOT NULL)")
        database.execute("CREATE TABLE transfer (id INTEGER PRIMARY KEY, giver INTEGER, taker INTEGER, amount INTEGER)")
        database.execute("CREATE TABLE total (transfers INTEGER NOT NULL)")
        rows = ((_BALANCE, _note(rng)) for _ in range(size // (_NOTE_BYTES + 60)))
        with database:
            database.executemany("INSERT INTO account (balance, note) VALUES (?, ?)", rows)
            database.execute("INSERT INTO total VALUES (0)")


@contextmanager
def being_written(folder: Path) -> Iterator[None]:
    """Have another process write to the database in `folder`."""
    command = [sys.executable, "-m", "benchmarks.corpora.database", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        if writer.stdout is None or writer.stdin is None or not writer.stdout.readline():
            raise RuntimeError("the writer of the database did not begin")
        try:
            yield
        finally:
            writer.stdin.close()


def problems(folder: Path) -> list[str]:
    """Say what is wrong with the database in `folder`: torn pages, or half of a transfer."""
    try:
        with closing(sqlite3.connect(folder / NAME)) as database:
            found = [str(row[0]) for row in database.execute("PRAGMA integrity_check(3)") if row[0] != "ok"]
            accounts, money = database.execute("SELECT count(*), sum(balance) FROM account").fetchone()
            transfers = database.execute("SELECT count(*) FROM transfer").fetchone()[0]
            counted = database.execute("SELECT transfers FROM total").fetchone()[0]
    except sqlite3.Error as error:
        return [f"{NAME}: {error}"]
    if money != accounts * _BALANCE:
        found.append(f"{NAME}: the balances come to {money}, not to {accounts * _BALANCE}")
    if transfers != counted:
        found.append(f"{NAME}: {transfers} transfers, but {counted} were counted")
    return found


def _note(rng: random.Random) -> bytes:
    """Return bytes that compress to about half."""
    return rng.randbytes(_NOTE_BYTES // 2).hex().encode()


def _write(folder: Path) -> None:
    """Make transfers until somebody says stop."""
    rng = random.Random("writer")
    with closing(sqlite3.connect(folder / NAME, timeout=60)) as database:
        accounts = database.execute("SELECT count(*) FROM account").fetchone()[0]
        print("writing", flush=True)
        while not select.select([sys.stdin], [], [], _PAUSE_SECONDS)[0]:
            with database:
                for _ in range(_ROWS_A_CHANGE):
                    _transfer(database, rng, *rng.sample(range(1, accounts + 1), 2))


def _transfer(database: sqlite3.Connection, rng: random.Random, giver: int, taker: int) -> None:
    amount = rng.randrange(100)
    database.execute("UPDATE account SET balance = balance - ?, note = ? WHERE id = ?", (amount, _note(rng), giver))
    database.execute("UPDATE account SET balance = balance + ? WHERE id = ?", (amount, taker))
    database.execute("INSERT INTO transfer (giver, taker, amount) VALUES (?, ?, ?)", (giver, taker, amount))
    database.execute("UPDATE total SET transfers = transfers + 1")


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
