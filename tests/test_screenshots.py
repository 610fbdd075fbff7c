"""The tool that makes docs/screenshots, as far as it needs no browser."""
import importlib.util
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("make_screenshots", ROOT / "docs" / "make_screenshots.py")
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_every_page_of_the_menus_has_its_picture():
    files = re.findall(r'st\.Page\("pages/(\w+)\.py"', (ROOT / "dashboard.py").read_text(encoding="utf-8"))
    assert sorted(tool.pages()) == sorted(name.replace("_", "-") for name in files)


@pytest.mark.parametrize("busy", [False, True])
def test_a_picture_is_small_in_pixels_and_in_bytes(busy):
    pixels = np.zeros((900, 1440, 3), np.uint8)
    if busy:  # blocks of noise, harder to pack than any page
        pixels += np.random.default_rng(1).integers(0, 255, (90, 144, 3), np.uint8).repeat(10, 0).repeat(10, 1)
    packed = tool.small(png(pixels))
    image = Image.open(io.BytesIO(packed))
    assert image.format == "WEBP" and image.size == (720, 450)
    assert len(packed) <= tool.MOST_BYTES or busy
    if busy:  # as far down as it goes
        lowest = io.BytesIO()
        Image.fromarray(pixels).resize((720, 450), Image.Resampling.LANCZOS).save(
            lowest, "WEBP", quality=tool.LOWEST_QUALITY, method=6)
        assert len(packed) <= max(tool.MOST_BYTES, lowest.tell())
