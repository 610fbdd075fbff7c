"""How to cite this program; CITATION.cff says the same to machines."""
from zz_core import __version__

TITLE = "Zig-Zag Lab: why inputs that are not zero-centered make gradient descent zig-zag, and what makes it slow"
AUTHORS, YEAR = "The Zig-Zag Lab authors", 2026


def cited(link: str = "") -> str:
    """One line, with the address of the run that is cited."""
    return f"{AUTHORS} ({YEAR}). {TITLE} (Version {__version__}) [Computer software].{f' {link}' if link else ''}"


def bibtex(link: str = "") -> str:
    url = f"  url     = {{{link}}},\n" if link else ""
    return (f"@software{{zigzaglab,\n  author  = {{{{{AUTHORS}}}}},\n  title   = {{{TITLE}}},\n"
            f"  version = {{{__version__}}},\n  year    = {{{YEAR}}},\n{url}}}")
