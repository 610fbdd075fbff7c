"""The pages of the menus, made once a server: as st.Page makes them, they would take every change a millisecond."""
from collections.abc import Callable
from copy import copy
from types import CodeType

import streamlit as st

Menus = dict[str, list[st.Page]]
_made: dict[CodeType, Menus] = {}  # by what makes them, so that an edit of it is seen


def fresh(make: Callable[[], Menus]) -> Menus:
    """The menus that `make` returns, as copies: a page remembers whether this visitor's run may run it."""
    menus = _made.get(make.__code__) or _made.setdefault(make.__code__, make())
    return {title: [copy(page) for page in pages] for title, pages in menus.items()}
