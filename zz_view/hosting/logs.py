"""Logs that a machine can read, and that hold nothing about visitors: no addresses, no sessions, no experiments.

ZIGZAG_LOG=json writes one JSON object a line to the standard error; without it, logs stay as Streamlit writes them.
"""
import json
import logging
import os
import sys
import time
import traceback

KEPT = {"page", "what", "seconds", "kind", "version", "waited"}  # of a record's extra fields: nothing else gets through


class JsonLines(logging.Formatter):
    """One line a record. Of an error it keeps the kind and the places in the code: its message may quote a visitor."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{record.msecs:03.0f}Z",
                "level": record.levelname.lower(), "logger": record.name,
                # without its arguments: Streamlit's and uvicorn's are origins, hosts, addresses
                "event": record.getMessage() if record.name == "zigzag" else str(record.msg)}
        line |= {name: value for name, value in vars(record).items() if name in KEPT}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["at"] = [f"{os.path.basename(frame.filename)}:{frame.lineno} {frame.name}"
                          for frame in traceback.extract_tb(record.exc_info[2])][-12:]
        return json.dumps(line, ensure_ascii=False)


def set_up() -> None:
    """Once, before the server starts. ValueError where ZIGZAG_LOG is neither json nor text."""
    wanted = os.environ.get("ZIGZAG_LOG", "").strip() or "text"
    if wanted not in ("json", "text"):
        raise ValueError(f"ZIGZAG_LOG={wanted}: must be json or text")
    own = logging.getLogger("zigzag")
    own.setLevel(logging.INFO if wanted == "json" else logging.WARNING)
    if wanted == "text":
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    own.handlers[:], own.propagate = [handler], False
    for name in ("", "streamlit", "uvicorn", "uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers[:], logger.propagate = [handler], False
        if name.startswith("uvicorn"):
            logger.setLevel(logging.WARNING)  # at the level of information it tells visitors' addresses
