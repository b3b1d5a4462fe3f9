"""The connection to SQLite or PostgreSQL, and the schema brought up to date."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from voxbus.scheduler.errors import DatabaseTaken

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
#: Any number, as long as nobody else locks by it: replicas that start together migrate one after another.
_MIGRATION_LOCK: Final = 0x766F7862

_READS: Final = "voxbus_reads"
#: How long SQLite waits for somebody else's transaction.
_BUSY_S: Final = 30


def url_of(text: str) -> URL:
    """With the asyncio driver, whatever driver was named or left out. Raises ValueError."""
    try:
        url = make_url(text)
    except Exception as error:  # SQLAlchemy's own, and ValueError for a port that is no number
        raise ValueError("not a database URL") from error
    match url.get_backend_name():
        case "sqlite":
            return url.set(drivername="sqlite+aiosqlite")
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+asyncpg")
        case _:
            raise ValueError("sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME")


def reader(engine: AsyncEngine) -> AsyncEngine:
    """The same database, for transactions that write nothing."""
    return engine.execution_options(**{_READS: True})


def connect(url: URL) -> AsyncEngine:
    """Nothing is asked of the server yet."""
    if url.get_backend_name() != "sqlite":
        # A connection that the server or a proxy dropped is noticed before a query is lost on it.
        return create_async_engine(
            url, pool_pre_ping=True, pool_size=10, max_overflow=10, hide_parameters=True
        )
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        # The driver would begin transactions where it likes; we begin them ourselves, below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={_BUSY_S * 1000}", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        connection.run_async(_write_ahead)

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later would fail where another wrote in between. One that only
        # reads waits for nobody: SQLite's queue of writers is not a fair one.
        reads = connection.get_execution_options().get(_READS)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


async def _write_ahead(connection: Any) -> None:
    """Readers and a writer side by side. The file keeps that mode, and its first change waits for nobody by itself."""
    until_s = time.monotonic() + _BUSY_S
    while True:
        try:
            await connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until_s:
                raise
            await asyncio.sleep(0.01)
        else:
            return


def claim(url: URL) -> contextlib.ExitStack:
    """A file of SQLite is for one scheduler: whoever closes what this returns lets the next one have it.

    Raises DatabaseTaken. A server may be asked by many.
    """
    claimed = contextlib.ExitStack()
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        path = Path(f"{url.database}.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        file = claimed.enter_context(path.open("w"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            claimed.close()
            raise DatabaseTaken(url.database) from None
    return claimed


async def migrate(engine: AsyncEngine, version: str = "head") -> None:
    """Brings the schema up to ``version``; of several processes at once one does it and the others wait."""
    async with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        await connection.run_sync(_upgrade, version)


def _upgrade(connection: Connection, version: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, version)
