"""A visitor without a browser: one real session of a Streamlit app over its websocket.

It does what Streamlit's frontend does: with each change it sends the state of every control that was touched, the
URL, and the hashes of the messages that it still holds, which the server then does not send again.
"""
import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlencode

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.NumberInput_pb2 import NumberInput
from streamlit.proto.WidgetStates_pb2 import WidgetState

PATIENCE = 120.0  # seconds for an answer; longer counts as an error
MOVED = ("learning_rate", "target_angle", "batch_size", "seed", "distance", "input_mean", "x")  # x: the empty app's
FAR = {"batch_size": 64, "seed": 1000}  # no student moves them to the end of their range
COOKIE = "zigzag_replica="
HELD_RUNS = 2  # for how many runs a browser holds a message, global.maxCachedMessageAge
ENDED_WELL, ENDED_EARLY = ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_EARLY_FOR_RERUN


class Reply(NamedTuple):
    """What a change came to: seconds to the end of the script, bytes received, what a visitor should not have seen."""

    seconds: float
    bytes: int
    errors: list[str]


class Control(NamedTuple):
    """A slider or number field: its id, how its state is written, and its range."""

    id: str
    write: Callable[[WidgetState, float], None]
    low: float
    high: float
    step: float
    shown: float


@dataclass
class Visitor:
    """One session of the server at `url`, such as ws://127.0.0.1:8501; open while used as a context manager."""

    url: str
    page: str = ""  # its path, such as "trajectories"
    query: dict[str, str] = field(default_factory=dict)
    rng: random.Random = field(default_factory=random.Random)
    controls: dict[str, Control] = field(default_factory=dict)  # of the page, by their names in the URL
    texts: list[str] = field(default_factory=list)  # Markdown and alerts of the last run
    session: str = ""  # its id on the server
    uploader: str = ""  # id of the page's uploader of files
    replica: str = ""  # as nginx's cookie names it, where one is before the server

    def __post_init__(self):
        self._states: dict[str, WidgetState] = {}
        self._held: dict[str, tuple[int, ForwardMsg]] = {}  # by hash: the run that used it last
        self._runs, self._hash = 0, ""  # of the page shown

    async def __aenter__(self) -> "Visitor":
        self.socket = await websockets.connect(
            f"{self.url}/_stcore/stream", subprotocols=["streamlit"], max_size=None, open_timeout=PATIENCE,
            ping_interval=None, compression=None,
            additional_headers={"Cookie": COOKIE + self.replica} if self.replica else None)
        for line in self.socket.response.headers.get_all("Set-Cookie"):
            if line.startswith(COOKIE):
                self.replica = line.removeprefix(COOKIE).partition(";")[0]
        return self

    async def __aexit__(self, *_) -> None:
        await self.socket.close()

    async def open(self) -> Reply:
        """The first visit, by the link."""
        return await self._run(self.page)

    async def change(self, name: str = "", value: float | None = None) -> Reply:
        """Move a control, any one of MOVED where none is named, anywhere in its range where no value is."""
        name = name or self.rng.choice([each for each in MOVED if each in self.controls])
        control = self.controls[name]
        if value is None:
            steps = round((min(control.high, FAR.get(name, control.high)) - control.low) / control.step)
            value = control.low + control.step * self.rng.randint(0, steps)
        self._states[name] = WidgetState(id=control.id)
        control.write(self._states[name], value)
        self.query[name] = f"{value:.12g}"
        return await self._run()

    async def hand_in(self, name: str, file_id: str, size: int) -> Reply:
        """Give the page's uploader a file that was uploaded under `file_id`."""
        state = WidgetState(id=self.uploader)
        state.file_uploader_state_value.uploaded_file_info.add(name=name, file_id=file_id, size=size)
        self._states["uploader"] = state
        return await self._run()

    async def send(self, page: str = "") -> None:
        """Ask for a run, and do not wait for its answer."""
        message = BackMsg()
        client = message.rerun_script
        client.query_string, client.page_script_hash = urlencode(self.query), self._hash
        client.page_name = page
        client.widget_states.widgets.extend(self._states.values())
        client.cached_message_hashes.extend(self._held)
        await self.socket.send(message.SerializeToString())

    async def watch(self, *words: str) -> str:
        """Read on until a text of the page, or its progress, holds one of these words; that text."""
        while True:
            message = ForwardMsg.FromString(await self._received())
            self.texts.clear()
            self._take(message, [])
            if found := [text for text in self.texts if any(word in text for word in words)]:
                return found[0]

    async def _received(self) -> bytes:
        async with asyncio.timeout(PATIENCE):  # wait_for may miss that it is cancelled, in Python 3.11
            return await self.socket.recv()

    async def _run(self, page: str = "") -> Reply:
        started = time.perf_counter()
        await self.send(page)
        self._runs += 1
        self.texts.clear()
        size, errors = 0, []
        while True:
            raw = await self._received()
            size += len(raw)
            message = ForwardMsg.FromString(raw)
            if message.WhichOneof("type") == "script_finished":
                if message.script_finished == ENDED_EARLY:  # the script asked for another run, which follows
                    continue
                if message.script_finished != ENDED_WELL:
                    errors.append("the script did not compile")
                break
            self._take(message, errors)
        taken = time.perf_counter() - started
        self._held = {key: held for key, held in self._held.items() if held[0] > self._runs - HELD_RUNS}
        return Reply(taken, size, errors)

    def _take(self, message: ForwardMsg, errors: list[str]) -> None:
        if message.WhichOneof("type") == "ref_hash":
            message = self._held[message.ref_hash][1]
            self._held[message.hash] = self._runs, message
        elif message.metadata.cacheable:
            self._held[message.hash] = self._runs, message
        kind = message.WhichOneof("type")
        if kind == "delta":
            self._see(message.delta.new_element, errors)
        elif kind == "new_session":
            self.session = message.new_session.initialize.session_id or self.session
            self._hash = message.new_session.page_script_hash or self._hash
        elif kind == "navigation":
            self._hash = message.navigation.page_script_hash or self._hash
        elif kind == "page_not_found":
            errors.append(f"there is no page {self.page}")

    def _see(self, element, errors: list[str]) -> None:
        """Take note of controls and texts, and of what no visitor may see."""
        kind = element.WhichOneof("type")
        if kind == "exception":
            errors.append(f"{element.exception.type}: {element.exception.message}")
        elif kind in ("markdown", "alert"):
            self.texts.append(getattr(element, kind).body)
        elif kind == "file_uploader":
            self.uploader = element.file_uploader.id
        elif kind == "progress":
            self.texts.append(element.progress.text)
        elif kind == "slider" and element.slider.query_param_key:
            found = element.slider
            self.controls[found.query_param_key] = Control(found.id, _write_list, found.min, found.max, found.step,
                                                           _shown(found))
        elif kind == "number_input" and element.number_input.query_param_key:
            found = element.number_input
            write = _write_whole if found.data_type == NumberInput.INT else _write_real
            self.controls[found.query_param_key] = Control(found.id, write, found.min, found.max, found.step,
                                                           _shown(found))


def _shown(found) -> float:
    """The value that a browser shows: set by the server, or the default."""
    value = found.value if found.set_value else found.default
    return float(value[0]) if hasattr(value, "__len__") else float(value)


def _write_list(state: WidgetState, value: float) -> None:
    state.double_array_value.data.append(value)


def _write_whole(state: WidgetState, value: float) -> None:
    state.int_value = round(value)


def _write_real(state: WidgetState, value: float) -> None:
    state.double_value = value
