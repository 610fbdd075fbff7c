"""The sidebar: one control for each field of Experiment, bound to the URL.

The entry script draws all of them on every run, before the page: a bound control that is not drawn leaves the URL, and
controls drawn by the pages would lose a link's values at the first change of page.
"""
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import asdict

import streamlit as st
from streamlit.errors import StreamlitAPIException

from zz_core import Experiment
from zz_core.experiment import BOUNDS, CHOICES, DEFAULTS, FIELD_TYPES, ignored_fields, parse
from zz_core.inputs import INPUTS
from zz_core.specs import Value, written
from zz_view import present, runs
from zz_view.fields import COMMON, FOLDED, TRACKS, help_text, label, on_track, typed_step
from zz_view.rate_zone import rate_zone

BOUND = {"bind": "query-params", "persist_state": "session"}
HALF = 112  # pixels, so that two number boxes fit beside each other
TYPED = "_typed"  # whether numbers are typed instead of dragged
REAL_STEPS = 2000  # with real data the slow directions take about this long
DECIDES_WHAT_APPLIES = ("inputs", "target", "bias", "optimizer")


def draw() -> None:
    """Draw every control into the sidebar and hand their values to the page; once, before `page.run()`."""
    st.session_state["_handed_over"] = _sidebar(thrifty=True)


def current() -> Experiment:
    """The experiment of the controls; a page's first line.

    A page that runs alone gets its own sidebar. Where the values are impossible together a sentence takes the
    picture's place and the page stops; no value is changed.
    """
    values = st.session_state.pop("_handed_over", None)
    st.session_state["_in_dashboard"] = values is not None
    if values is None:
        values = _sidebar()
    _show_notices(values)
    try:
        return Experiment(**values)
    except ValueError as error:
        runs.refuse(runs.readable(error))


def in_dashboard() -> bool:
    """Whether the page runs within the dashboard, where there are other pages to link to; after `current()`."""
    return st.session_state.get("_in_dashboard", False)


def _sidebar(thrifty: bool = False) -> dict[str, Value]:
    """All controls and their values; thrifty: without those that are folded away and say nothing but their defaults,
    which would take every visitor's browser a fifth of the time of every change."""
    st.session_state.update(st.session_state.pop("_fresh", {}))
    asked = st.query_params.to_dict()  # before the first bound control cleans the URL
    _remember_page_params(asked)
    kept = st.session_state.to_dict()  # whole, in the time of three look-ups
    before = {name: kept[name] if name in kept else _asked(name, asked) for name in DEFAULTS}
    st.session_state.setdefault(TYPED, not all(on_track(name, before[name]) for name in TRACKS))
    reasons, values = _ignored(before), {}
    with st.sidebar:
        values |= _rows(COMMON[:5], reasons)
        zone = st.container()
        values |= _rows(COMMON[5:], reasons)
        for title, rows in FOLDED.items():
            fold = st.expander(title, key=f"_fold_{rows[0][0]}", on_change="rerun" if thrifty else "ignore")
            # a bound control that is not drawn leaves the URL, where a default does not stand anyway
            drawn = rows if fold.open or not thrifty else tuple(
                row for row in rows if any(name in asked or before[name] != DEFAULTS[name] for name in row))
            with fold:
                values |= {name: DEFAULTS[name] for row in rows for name in row} | _rows(drawn, reasons)
        st.toggle("Type exact numbers", key=TYPED, persist_state="session",
                  help="Number boxes in place of the sliders, with the whole range of each value.")
        st.button("Reset all controls", key="_reset_button", icon=":material/restart_alt:", on_click=_reset,
                  width="stretch")
    with zone:
        rate_zone(values)
    if "_notices" not in st.session_state:  # the first run of this visit
        st.session_state["_notices"] = _notices(asked, values)
        st.session_state["_asked_of_page"] = {name: text for name, text in asked.items() if name not in DEFAULTS}
    return values


def _asked(name: str, asked: dict[str, str]) -> Value:
    """A field's value before its control is drawn for the first time, which only the URL knows."""
    try:
        return parse(name, asked[name]) if name in asked else DEFAULTS[name]
    except ValueError:
        return DEFAULTS[name]


def _ignored(values: dict[str, Value]) -> dict[str, str]:
    try:
        return ignored_fields(Experiment(**values))
    except ValueError:  # impossible together: judge by what decides, which goes with every default
        return ignored_fields(Experiment(**{name: values[name] for name in DECIDES_WHAT_APPLIES}))


def _rows(rows: tuple[tuple[str, ...], ...], reasons: dict[str, str]) -> dict[str, Value]:
    values = {}
    for names in rows:
        # columns, or a row around a single control, would only take time, for every visitor at every change
        pair = len(names) > 1
        with st.container(horizontal=True, vertical_alignment="bottom") if pair else nullcontext():
            for name in names:
                values[name] = _control(name, reasons.get(name), HALF if pair else "stretch")
    return values


def _control(name: str, ignored_because: str | None, width: int | str = "stretch") -> Value:
    """The control of one field; disabled, never hidden, where the field does not apply."""
    common = {"label": label(name), "key": name, "help": help_text(name, ignored_because),
              "disabled": ignored_because is not None, **BOUND}
    default, kind = DEFAULTS[name], FIELD_TYPES[name]
    if kind is bool:
        return st.toggle(value=default, **common)
    if kind is str:
        options = CHOICES[name]
        if len(options) > 2:
            react = {"on_change": _suit_steps} if name == "inputs" else {}
            return st.selectbox(options=options, index=options.index(default), **common, **react)
        return st.segmented_control(options=options, default=default, required=True, width="stretch", **common)
    if name in TRACKS and not st.session_state[TYPED]:
        low, high, step = TRACKS[name]
        return st.slider(min_value=low, max_value=high, value=default, step=step, format="%g", **common)
    low, high = map(kind, BOUNDS[name])
    return st.number_input(min_value=low, max_value=high, value=default, step=typed_step(name),
                           format="%d" if kind is int else "%.6g", width=width, **common)


def _suit_steps() -> None:
    """Real data need longer runs: choosing them by hand raises the steps, unless the visitor has set them."""
    usual, real = DEFAULTS["steps"], INPUTS[st.session_state["inputs"]].real
    if st.session_state["steps"] == (usual if real else REAL_STEPS):
        st.session_state["steps"] = REAL_STEPS if real else usual


def _notices(asked: dict[str, str], values: dict[str, Value]) -> dict[str, tuple[Value, str]]:
    """For each field whose control did not take what the URL asked for: the value used, and a sentence."""
    notices = {}
    for name, text in asked.items():
        if name in DEFAULTS and not _same(text, values[name]):
            notices[name] = (values[name], _dropped(name, text, values[name]))
    return notices


def _same(text: str, value: Value | list[str]) -> bool:
    if isinstance(value, list):
        return text in value  # a parameter that occurs several times: the query gives the last one
    if isinstance(value, str | bool):
        return text.lower() == str(value).lower()
    try:
        return float(text) == value
    except ValueError:
        return False


def _dropped(name: str, text: str, used: Value) -> str:
    try:
        parse(name, text)
        rule = "could not be used"
    except ValueError as error:
        rule = runs.split_message(error)[2]
    return (f"The link asks for {label(name).lower()} `{_shown(text)}`, which {rule}. "
            f"`{_spelled(used)}` is used instead.")


def _spelled(value: Value | list[str]) -> str:
    """A value as a link spells it."""
    return ", ".join(value) if isinstance(value, list) else written(value)


def _shown(text: str) -> str:
    return text.replace("`", "")[:40]  # a URL may hold anything


def _show_notices(values: dict[str, Value]) -> None:
    """Each sentence stays until its field changes."""
    notices = st.session_state["_notices"]
    now = {name: values[name] if name in values else st.session_state.get(name) for name in notices}
    for name in [name for name, (used, _) in notices.items() if now[name] != used]:
        del notices[name]
    if notices:
        st.info("\n\n".join(sentence for _, sentence in notices.values()), icon=":material/link_off:")


def _remember_page_params(asked: dict[str, str]) -> None:
    """Pages bind controls of their own to the URL; a reset has to know their names. How it is shown is none of them."""
    st.session_state.setdefault("_page_params", set()).update(name for name in asked
                                                             if name not in DEFAULTS and name != present.KEY)


def _reset() -> None:
    st.session_state.update(DEFAULTS)
    st.session_state.update({"_notices": {}, "_resetting": True})
    for name in st.session_state["_page_params"]:
        if name in st.session_state:
            del st.session_state[name]


def adopt(experiment: Experiment, params: Mapping[str, Value] | None = None) -> dict[str, str]:
    """Set every control of the sidebar as a link to this experiment would; in a callback.

    params: of the page that is opened with it; those that other pages have left behind are forgotten then. Returns what
    that change of page has to hand on as `query_params`: a bound control that is about to be drawn for the first time
    takes its value from the session but would not write it to the address.
    """
    for name in st.session_state["_page_params"] if params is not None else ():
        if name in st.session_state:
            del st.session_state[name]
    values = asdict(experiment)
    st.session_state.update(values | dict(params or {}))
    st.session_state["_notices"] = {}
    if not all(on_track(name, values[name]) for name in TRACKS):
        st.session_state[TYPED] = True
    texts = experiment.to_query() | {name: written(value) for name, value in (params or {}).items()}
    unwritten = {}
    for name, text in texts.items():
        with suppress(StreamlitAPIException):  # a control on the screen writes its own
            st.query_params[name] = unwritten[name] = text
    return unwritten


def put(values: Mapping[str, Value]) -> None:
    """Set some controls of the sidebar as the visitor would, and the address with them; in a callback.

    A slider shows a value between two of its steps as it is. It must not give way to a number box here: a control
    that is drawn for the first time would not write the address.
    """
    for name, value in values.items():
        st.session_state[name] = value
        if value != DEFAULTS[name]:
            with suppress(StreamlitAPIException):  # a control on the screen writes its own
                st.query_params[name] = written(value)


def reset_asked() -> bool:
    """Whether the reset button was just pressed: the entry script then clears the URL by switching to the same page."""
    if st.session_state.pop("_resetting", False):
        st.session_state["_reset_page"] = True
        return True
    return False


def check_page_params() -> None:
    """After the page's first run: say which of its own parameters it could not take, which only its controls know."""
    asked = st.session_state.pop("_asked_of_page", {})
    taken = {name: st.session_state[name] for name in asked if name in st.session_state}
    dropped = {name: (value, f"The link asks for {label(name).lower()} `{_shown(asked[name])}`, which this page does "
                             f"not offer. `{_spelled(value)}` is used instead.")
               for name, value in taken.items() if not _same(asked[name], value)}
    if dropped:
        st.session_state["_notices"] |= dropped
        st.rerun()


def finish_reset() -> None:
    """After the page: show the browser the defaults of the page's own controls, which only the page knows.

    A control that was forgotten starts again at its default on the server, while the browser still shows, and would
    send back, what the visitor had chosen. Writing the default makes the browser adopt it.
    """
    if not st.session_state.pop("_reset_page", False):
        return
    fresh = {name: st.session_state[name] for name in st.session_state["_page_params"] if name in st.session_state}
    st.session_state["_page_params"] = set()
    if st.session_state[TYPED]:  # not before: new sliders would start at what the URL held until now
        fresh[TYPED] = False
    if fresh:
        st.session_state["_fresh"] = fresh
        st.rerun()
