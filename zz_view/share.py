"""The Share popover: a link that reproduces what is on the screen, and the run to take away."""
from collections.abc import Mapping
from urllib.parse import urlencode

import streamlit as st

from zz_core import Experiment, Run
from zz_core.experiment import DEFAULTS
from zz_view import controls, runs
from zz_view.exports import data_files, programs
from zz_view.exports.citation import bibtex, cited
from zz_view.exports.data_files import experiment_json, file_stem, table
from zz_view.exports.handout import handout
from zz_view.page import plain
from zz_view.pictures import plane_pictures
from zz_view.theme import CENTERED, RAW

__all__ = ["experiment_json", "file_stem", "permalink", "share", "table"]
NOT_IN_A_LINK = {"present"}  # how it is shown, not what
IFRAME_HEIGHT = 760
PANEL = 620, 490  # pixels: about what the code needs, so that nothing jumps from tab to tab
PROGRAMS = {  # maker, file ending, MIME type, what it needs
    "NumPy": (programs.numpy_script, ".py", "text/x-python", "NumPy"),
    "PyTorch": (programs.torch_script, "-torch.py", "text/x-python", "NumPy and PyTorch"),
    "Notebook": (programs.notebook, ".ipynb", "application/x-ipynb+json", "Jupyter and NumPy"),
}


def share(found: Run | Mapping[str, Run], experiment: Experiment) -> None:
    """Draw the popover: the runs of the page by name, and the experiment of its controls."""
    named = {"run": found} if isinstance(found, Run) else dict(found)
    # drawn when it is opened: a closed one would cost every rerun of every visitor as much as five controls
    with st.popover("Share", icon=":material/share:", key="share", on_change="rerun") as popover:
        # its room is there from the start: an empty panel would open downward at the page's end, and stay flat
        with st.container(width=PANEL[0], height=PANEL[1], border=False):
            if popover.open:
                _inside(named, experiment)


@st.fragment  # nothing in here changes the page, but for the file that is opened
def _inside(named: Mapping[str, Run], experiment: Experiment) -> None:
    parts = {"Link": _link, "Data": _data, "Code": _code, "Teach": _teach, "Embed": _embed}
    for tab, draw in zip(st.tabs(list(parts), key="share_tab", on_change="rerun"), parts.values(), strict=True):
        if tab.open:
            with tab:
                draw(named, experiment)


def permalink(experiment: Experiment, **more: str) -> str:
    """The page's absolute address with the experiment and the page's own parameters."""
    page = [(name, value) for name in st.query_params if name not in {*DEFAULTS, *NOT_IN_A_LINK}
            for value in st.query_params.get_all(name)]
    query = urlencode([*experiment.to_query().items(), *page, *more.items()])
    return (st.context.url or "/").split("?")[0] + (f"?{query}" if query else "")


def _link(named: Mapping[str, Run], experiment: Experiment) -> None:
    st.markdown("This link opens the same experiment with the same settings of this page:")
    st.code(permalink(experiment), language=None, wrap_lines=True)
    st.markdown("To cite what it shows:")
    st.code(cited(permalink(experiment)), language=None, wrap_lines=True)
    st.code(bibtex(permalink(experiment)), language=None, wrap_lines=True)


def _data(named: Mapping[str, Run], experiment: Experiment) -> None:
    link, stem = permalink(experiment), file_stem(experiment)
    files = (
        ("Every step as CSV", lambda: data_files.csv(named), ".csv", "text/csv", "table",
         "One row a step and run: weights, loss, and whether the gradient of that step had one sign."),
        ("Every step as Parquet", lambda: data_files.parquet(named), ".parquet", "application/vnd.apache.parquet",
         "table_view", "The same rows in a tenth of the bytes, with the experiment in the file's metadata."),
        ("All arrays as NPZ", lambda: data_files.npz(named), ".npz", "application/octet-stream", "deployed_code",
         "Weights, gradients, residuals, batches, inputs and targets of every run, for numpy.load."),
        ("The experiment as JSON", lambda: experiment_json(experiment, named, link).encode(), ".json",
         "application/json", "data_object",
         "All fields, the defaults too, the version, and where the runs ended: enough to repeat it later."),
    )
    for label, make, ending, mime, icon, words in files:
        st.download_button(label, make, stem + ending, mime, icon=f":material/{icon}:", on_click="ignore", help=words,
                           key=f"share_{ending[1:]}", width="stretch")
    _open_file()


def _open_file() -> None:
    """Back from a JSON file to the experiment, of an older version as well."""
    file = st.file_uploader("Open an experiment that was saved as JSON", type="json", max_upload_size=1)
    if file is None:
        return
    try:
        opened = data_files.read_json(file.getvalue())
    except ValueError as error:
        st.warning(runs.readable(error) if runs.split_message(error)[0] else str(error), icon=":material/tune:")
        return
    sentences = [*opened.notes, *(f"{name[:40].capitalize()}: {_compared(*run)}" for name, run in opened.runs.items())]
    st.info("\n\n".join(plain(sentence) for sentence in sentences) or "The file holds an experiment of this version.",
            icon=":material/description:")
    if st.button("Open this experiment", icon=":material/folder_open:", on_click=controls.adopt,
                 args=(opened.experiment,), key="share_open"):
        st.rerun()  # the controls are outside of this fragment


def _compared(experiment: Experiment, final_weights: list[float | None]) -> str:
    if not runs.affordable(experiment):
        return "Too large to be repeated here."
    return data_files.comparison(final_weights, runs.get(experiment))


def _code(named: Mapping[str, Run], experiment: Experiment) -> None:
    names = list(named)
    with st.container(horizontal=True):
        name = names[0] if len(names) == 1 else st.segmented_control("Run", names, default=names[0], required=True,
                                                                     key="share_run")
        kind = st.segmented_control("Program", list(PROGRAMS), default="NumPy", required=True, key="share_program")
    run = named.get(name, named[names[0]])  # the page may have other runs than when one was chosen
    make, ending, mime, needs = PROGRAMS[kind]
    program = make(run, permalink(experiment))
    real = " and scikit-learn, which has the data," if "from sklearn" in program else ""
    st.markdown(f"It needs {needs}{real} and nothing of this project, and arrives at the same weights.")
    st.download_button(f"Download this {'notebook' if kind == 'Notebook' else 'script'}", program.encode(),
                       file_stem(run.experiment) + ending, mime, icon=":material/code:", on_click="ignore",
                       key="share_code", width="stretch")
    # plain, since in colors some of it would fall below a contrast of 4.5; wrapped and whole, since what scrolls by
    # itself could not be reached by keyboard
    st.code(program, language=None, wrap_lines=True)


def _teach(named: Mapping[str, Run], experiment: Experiment) -> None:
    link = permalink(experiment)
    st.markdown("One page to print or to hand out: the picture of this run, its numbers, this link, and five questions "
                "with room for answers. On the screen, the measured answers are at its end.")
    st.download_button("Handout as HTML", lambda: _handout(named, experiment, link).encode(),
                       f"{file_stem(experiment)}-handout.html", "text/html", icon=":material/school:",
                       on_click="ignore", key="share_handout", width="stretch")
    st.markdown("For a projector: this link opens the page in large type, without controls.")
    st.code(permalink(experiment, present="true"), language=None, wrap_lines=True)


def _handout(named: Mapping[str, Run], experiment: Experiment, link: str) -> str:
    colors = {name: RAW if run.experiment.treatment == "none" else CENTERED for name, run in named.items()}
    pictures = {} if experiment.dimensions == 1 else plane_pictures(dict(named), colors)
    return handout(named, pictures, experiment, link)


def _embed(named: Mapping[str, Run], experiment: Experiment) -> None:
    st.markdown("This shows the page's picture and numbers within another page, with a link back to here:")
    st.code(iframe(permalink(experiment, embed="true")), language=None, wrap_lines=True)


def iframe(link: str) -> str:
    address = link.replace("&", "&amp;").replace('"', "%22")
    return (f'<iframe src="{address}" title="Zig-Zag Lab" width="100%" height="{IFRAME_HEIGHT}" style="border: 0" '
            'loading="lazy" allow="fullscreen"></iframe>')
