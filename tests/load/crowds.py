"""Many visitors at once: what they wait, and what they cost the server."""
import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from tests.deploy.cluster import Cluster
from tests.load.sessions import Reply, Visitor
from tests.servers import Server

Served = Server | Cluster
SEE_IT = ("", "trajectories", "gradient-signs", "batch-averaging", "gallery")  # heavy pages are loaded apart
THINKING = 3.0  # seconds between two changes of a visitor
LARGE = {"dimensions": "256", "samples": "4096", "steps": "1200", "batch_size": "64"}
HEAVY = (("", LARGE), ("geometry", LARGE), ("saturation", LARGE), ("trajectories", {**LARGE, "batch_size": "4096"}),
         ("trajectories", {"loss": "logistic", "samples": "4096", "steps": "3000"}),
         ("remedies", {"dimensions": "16", "samples": "512"}),
         ("sweep", {"dimensions": "64", "samples": "1024", "steps": "500"}),
         ("deep-network", {"net_layers": "256-256", "net_steps": "2000"}))  # much of what one visitor gets of each


@dataclass
class Crowd:
    """What a crowd met; seconds, MiB."""

    size: int
    first: list[float] = field(default_factory=list)  # first visits
    changes: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)  # sent for each change
    heavy: list[float] = field(default_factory=list)  # heavy pages, those that came while the crowd played
    replicas: Counter[str] = field(default_factory=Counter)  # sessions of each, where there is more than one
    before: float = 0.0  # memory of the server without the crowd
    memory: float = 0.0  # and with all of it, at the end
    cpu: float = 0.0  # seconds of a core for each change, heavy pages among them
    played: float = 0.0  # seconds, up to the last change

    @property
    def each(self) -> float:
        """MiB a session, the caches that it fills among them."""
        return (self.memory - self.before) / self.size

    @property
    def rate(self) -> float:
        """Changes a second of all together."""
        return len(self.changes) / self.played

    def percentile(self, share: float, what: str = "changes") -> float:
        return float(np.percentile(found, share)) if (found := getattr(self, what)) else float("nan")

    def arrived_at(self, replica: str) -> None:
        if replica:
            self.replicas[replica] += 1

    def note(self, reply: Reply, kind: list[float]) -> None:
        kind.append(reply.seconds)
        self.errors += reply.errors
        if kind is self.changes:
            self.bytes.append(reply.bytes)


async def warm(server: Served, pages: tuple[str, ...] = SEE_IT) -> None:
    """Whatever is made once a process, such as the gallery's pictures."""
    for process in [server] if isinstance(server, Server) else server.replicas.values():
        for page in pages:
            async with Visitor(process.ws, page, rng=random.Random(page)) as visitor:
                await visitor.open()
                await visitor.change()


async def crowd(server: Served, size: int, seconds: float, pages: tuple[str, ...] = SEE_IT,
                thinking: float = THINKING, arriving: float = 0.1, heavy: int = 0) -> Crowd:
    """`size` visitors, each on one of the pages, who for so many seconds change something every `thinking` seconds, on
    the average; they arrive one after another, `arriving` seconds apart. heavy: how many others open heavy pages again
    and again while they play."""
    found, gate, here = Crowd(size, before=server.memory()), asyncio.Event(), 0

    async def visit(number: int) -> None:
        nonlocal here
        await asyncio.sleep(number * arriving)
        rng = random.Random(number)
        try:
            async with Visitor(server.ws, pages[number % len(pages)], rng=rng) as visitor:
                try:
                    found.arrived_at(visitor.replica)
                    found.note(await visitor.open(), found.first)
                finally:
                    here += 1
                    if here == size:
                        gate.set()
                await gate.wait()
                until = time.monotonic() + seconds
                while (pause := rng.uniform(0.5, 1.5) * thinking) < until - time.monotonic():
                    await asyncio.sleep(pause)
                    found.note(await visitor.change(), found.changes)
                done.release()
                await leave.wait()
        except Exception as error:  # whatever it is, this visitor was not served
            found.errors.append(f"{type(error).__name__}: {error}")
            done.release()

    done, leave = asyncio.Semaphore(0), asyncio.Event()
    visits = [asyncio.create_task(visit(number)) for number in range(size)]
    await gate.wait()
    others = [asyncio.create_task(heavy_visits(server, number, found)) for number in range(heavy)]
    used, started = server.cpu(), time.monotonic()
    for _ in range(size):
        await done.acquire()
    found.played = time.monotonic() - started
    for other in others:
        other.cancel()
    found.cpu = (server.cpu() - used) / max(1, len(found.changes))
    found.memory = server.memory()
    leave.set()
    await asyncio.gather(*visits)
    await asyncio.gather(*others, return_exceptions=True)
    return found


async def heavy_visits(server: Served, number: int, found: Crowd) -> None:
    """One visitor who opens heavy pages until cancelled, each with data that nobody has seen."""
    try:
        for k in count(number):
            page, query = HEAVY[k % len(HEAVY)]
            seeds = dict.fromkeys(("seed", "data_seed", "net_seed"), str(random.randrange(10**6)))
            async with Visitor(server.ws, page, query | seeds) as visitor:
                found.note(await visitor.open(), found.heavy)
    except Exception as error:
        found.errors.append(f"a heavy page: {type(error).__name__}: {error}")


async def first_visits(server: Served, size: int, pages: tuple[str, ...] = SEE_IT) -> Crowd:
    """`size` visitors who all come at once: the page of HTML, then the session."""
    found = Crowd(size, before=server.memory())

    async def visit(number: int) -> None:
        page = pages[number % len(pages)]
        try:
            started = time.perf_counter()
            html = await fetched(server, f"/{page}")
            if b"<script" not in html:
                found.errors.append(f"/{page} answered {html[:60]!r}")
            async with Visitor(server.ws, page, rng=random.Random(number)) as visitor:
                found.arrived_at(visitor.replica)
                reply = await visitor.open()
                found.note(reply._replace(seconds=time.perf_counter() - started), found.first)
        except Exception as error:
            found.errors.append(f"{type(error).__name__}: {error}")

    await asyncio.gather(*(visit(number) for number in range(size)))
    found.memory = server.memory()
    return found


async def soak(server: Served, seconds: float, size: int, staying: float = 30.0) -> list[tuple[float, float]]:
    """Visitors who come, stay for about `staying` seconds and go, `size` at a time; (second, MiB) at every tenth."""
    memory, errors, started = [], [], time.monotonic()

    async def seat(number: int) -> None:
        rng = random.Random(number)
        while (left := seconds - (time.monotonic() - started)) > 0:
            async with Visitor(server.ws, rng.choice(SEE_IT), rng=rng) as visitor:
                errors.extend((await visitor.open()).errors)
                until = time.monotonic() + min(left, rng.uniform(0.5, 1.5) * staying)
                while time.monotonic() < until:
                    await asyncio.sleep(rng.uniform(0.5, 1.5) * THINKING)
                    errors.extend((await visitor.change()).errors)

    async def watch() -> None:
        while time.monotonic() - started < seconds:
            memory.append((time.monotonic() - started, server.memory()))
            await asyncio.sleep(10.0)

    await asyncio.gather(watch(), *(seat(number) for number in range(size)))
    memory.append((time.monotonic() - started, server.memory()))
    if errors:
        raise RuntimeError(f"{len(errors)} errors, the first: {errors[0]}")
    return memory


async def fetched(server: Served, path: str) -> bytes:
    """The body of a page of HTML, without a thread for each visitor."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n\r\n".encode())
        return (await asyncio.wait_for(reader.read(), 60.0)).partition(b"\r\n\r\n")[2]
    finally:
        writer.close()
