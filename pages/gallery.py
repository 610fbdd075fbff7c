"""Gallery: named experiments, each with a picture of its own run and one number measured on it."""
from zz_view import controls, gallery, page
from zz_view.presets import PRESETS

controls.current()
page.header("Which picture do you want to see first?",
            f"**{len(PRESETS)} experiments**, each drawn from its own run on this server. Open one, change its "
            "controls, and see whether its sentence still holds. The sidebar does not matter here; opening a card "
            "sets it.")
gallery.draw(page.sections(__file__))
