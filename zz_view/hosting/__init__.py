"""What a server for many needs and a laptop does not notice: turns, queues, bounded caches, headers, figures, logs.

`st.App(__file__, **hosting.options())` puts them around the dashboard; docs/hosting.md says what a host can set.
"""
import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache

import streamlit as st
from starlette.middleware import Middleware
from streamlit import config, runtime

from zz_view import assets
from zz_view.hosting import heavy, logs, memory, meters
from zz_view.hosting.headers import SecurityHeaders
from zz_view.hosting.settings import whole
from zz_view.hosting.together import Together
from zz_view.hosting.uploads import UploadLimits
from zz_view.rooms import Prepared

MOST_TIDY_SECONDS = 30.0
LOG = logging.getLogger("zigzag")


def options() -> dict[str, object]:
    """Keyword arguments of st.App; ValueError where a setting of the host makes no sense."""
    logs.set_up()
    memory.use_one_heap()
    heavy.check_settings()
    whole("ZIGZAG_UPLOADS_MIB", 256, 50, 1_000_000)
    return {"routes": [assets.route()], "lifespan": _lifespan, "on_script_error": failed,
            "middleware": [*map(Middleware, (SecurityHeaders, UploadLimits, Prepared, Together))]}


@cache  # the entry script's own functions are new at every run
def freeze_imports() -> None:
    """Once per process: the imported modules would be most of the work of every collection of garbage."""
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def _lifespan(app: st.App) -> AsyncIterator[None]:
    runtime.get_instance().stats_mgr.register_provider(meters.METERS)
    LOG.info("started", extra={"version": st.__version__})
    tidying = asyncio.create_task(_tidy())
    yield
    tidying.cancel()
    with suppress(asyncio.CancelledError):
        await tidying
    LOG.info("stopped")


async def _tidy() -> None:
    """Streamlit drops sessions whose time is over, and their uploads, only when another session ends: an idle server
    would hold the last ones forever. Where they are kept is its own affair, so a test watches that this works."""
    pause = min(MOST_TIDY_SECONDS, max(1.0, config.get_option("server.disconnectedSessionTTL") / 2))
    kept = runtime.get_instance()._session_mgr._session_storage._cache
    while True:
        await asyncio.sleep(pause)
        for _, lost in kept.expire():
            lost.session.shutdown()  # not left to the garbage collector, from which the first session is frozen
            del lost
        gc.collect()  # sessions are rings of references; Streamlit's own after each run is off, see config.toml
        memory.give_back()


def failed(error: Exception) -> bool:
    """A page has failed: counted, logged, and said to the visitor in a sentence that gives nothing away."""
    meters.count("zigzag_script_errors", kind=type(error).__name__)
    LOG.error("script failed", exc_info=error)
    st.error("This page has met an error of its own; the server's log has it now. Your experiment is in the address: "
             "reload the page, or change a control. If it comes again, **Reset all controls** leads back.",
             icon=":material/error:")
    return True
