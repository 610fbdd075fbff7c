"""A cache of results for all visitors that is bounded in bytes, made once even where many ask at once."""
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import fields, is_dataclass
from typing import Generic, TypeVar

import numpy as np

from zz_view.hosting import meters

T = TypeVar("T")


class Cache(Generic[T]):
    """The least recently used results go where they together take more than `most_bytes`."""

    def __init__(self, name: str, most_bytes: int):
        self.most_bytes, self.bytes = most_bytes, 0
        self._kept: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        meters.gauge("zigzag_cache_bytes", lambda: self.bytes, cache=name)

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result, made where there is none; whoever asks for it meanwhile waits for the one that makes it.
        Nothing is kept where that fails, or where the result alone is larger than the cache. Results are not None."""
        if (found := self.find(key)) is not None:
            return found
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            if (found := self.find(key)) is not None:
                return found
            try:
                made = make()
                self.put(key, made)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return made

    def find(self, key: Hashable) -> T | None:
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Hashable, made: T) -> None:
        size = bytes_of(made)
        with self._lock:
            if key in self._kept:
                self.bytes -= self._kept.pop(key)[1]
            if size > self.most_bytes:
                return
            self._kept[key] = made, size
            self.bytes += size
            while self.bytes > self.most_bytes:
                self.bytes -= self._kept.popitem(last=False)[1][1]

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self.bytes = 0


def bytes_of(value: object) -> int:
    """About the memory of a result: its arrays, each counted once, and something for each object."""
    seen: set[int] = set()
    return 1000 + sum(array.nbytes for array in _arrays(value, seen))


def _arrays(value: object, seen: set[int]) -> Iterator[np.ndarray]:
    if isinstance(value, np.ndarray):
        owner = value if value.base is None or not isinstance(value.base, np.ndarray) else value.base
        if id(owner) not in seen:
            seen.add(id(owner))
            yield owner
    elif is_dataclass(value):
        for each in fields(value):
            yield from _arrays(getattr(value, each.name), seen)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _arrays(each, seen)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _arrays(each, seen)
