"""What is written on the canvases of a page, and whether words are cut off or lie on each other."""
from playwright.sync_api import Page

# Each canvas keeps the boxes of its words, in its own pixels, since it was last wiped
RECORD = """(() => {
    const drawing = CanvasRenderingContext2D.prototype, { fillText, clearRect } = drawing
    drawing.clearRect = function (...box) { this.canvas.zzWords = []; return clearRect.apply(this, box) }
    drawing.fillText = function (text, x, y) {
        const size = this.measureText(text), at = this.getTransform(), words = this.canvas.zzWords ??= []
        const corners = [x - size.actualBoundingBoxLeft, x + size.actualBoundingBoxRight].flatMap(a =>
            [y - size.actualBoundingBoxAscent, y + size.actualBoundingBoxDescent].map(b =>
                [at.a * a + at.c * b + at.e, at.b * a + at.d * b + at.f]))
        const [xs, ys] = [0, 1].map(k => corners.map(corner => corner[k]))
        if (text.trim()) words.push({ text, left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys),
                                      bottom: Math.max(...ys) })
        return fillText.apply(this, arguments)
    }
})()"""
TROUBLES = """() => [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')].flatMap(board =>
    [...board.shadowRoot.querySelectorAll('canvas.base')].flatMap(canvas => {
        const words = canvas.zzWords ?? [], name = canvas.closest('.chart').className, found = []
        if (!words.length) found.push(`${name}: nothing is written`)
        words.forEach((one, k) => {
            if (one.left < -1 || one.top < -1 || one.right > canvas.width + 1 || one.bottom > canvas.height + 1)
                found.push(`${name}: "${one.text}" is cut off`)
            for (const other of words.slice(0, k))
                if (Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1 &&
                    Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 1)
                    found.push(`${name}: "${one.text}" lies on "${other.text}"`)
        })
        return found
    }))"""


def record(page: Page) -> None:
    """Before the page is opened."""
    page.add_init_script(RECORD)


def troubles(page: Page) -> list[str]:
    return page.evaluate(TROUBLES)
