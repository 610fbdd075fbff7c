"""What a host may set in the environment; what makes no sense is refused with a sentence when the server starts."""
import os
import re

SOURCE = re.compile(r"'self'|'none'|\*|https?://(\*\.)?[A-Za-z0-9.-]+(:(\d+|\*))?|https?:")


def whole(name: str, default: int, low: int = 1, high: int = 10_000) -> int:
    """A whole number; ValueError names the variable, its value and what is allowed."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or not low <= int(text) <= high:
        raise ValueError(f"{name}={text}: must be a whole number from {low} to {high}")
    return int(text)


def frame_ancestors() -> str:
    """Who may show the dashboard in a frame, ZIGZAG_FRAME_ANCESTORS: sources as in a Content-Security-Policy."""
    text = os.environ.get("ZIGZAG_FRAME_ANCESTORS", "").strip() or "*"  # *: pages embed by the code that Share gives
    for source in text.split():
        if not SOURCE.fullmatch(source):
            raise ValueError(f"ZIGZAG_FRAME_ANCESTORS={text}: must be 'none', 'self', * or origins such as "
                             "https://moodle.example.edu, separated by spaces")
    return text


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
