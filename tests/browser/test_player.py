"""The player by keyboard and at other speeds; that it keeps still for those who want less motion."""

WORDS = ".st-key-planes .player .words"
AFTER_A_SECOND = """() => new Promise(resolve => {
    const board = document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')[0].shadowRoot
    const player = board.querySelector('.board').zigzagBoard, real = requestAnimationFrame, start = player.step
    // frames at times of our own, so that a busy machine counts the same steps
    let frame = null
    window.requestAnimationFrame = act => { frame = act; return 1 }
    player.toggle()
    for (const now of [0, 500, 1000]) { const act = frame; frame = null; act(now); if (player.timer) frame ??= act }
    const walked = player.step - start
    player.pause()
    window.requestAnimationFrame = real
    player.wanted = null
    resolve(walked)
})"""


def step(page) -> int:
    return int(page.locator(".st-key-planes input[type=range]").input_value())


SAYS = """words => document.querySelector('.st-key-planes [data-testid="stBidiComponentIsolated"]')
    .shadowRoot.querySelector('.words').textContent.startsWith(words)"""


def test_space_and_arrows_on_any_chart_of_the_run_move_the_player(page, settle):
    page.goto("/trajectories")
    settle(page)
    page.locator(".st-key-losses.chart canvas.base").focus()  # a chart of another board, without a player of its own
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(SAYS, arg="Step 2.")  # drawn with the next frame
    assert step(page) == 1
    page.keyboard.press("Space")
    page.get_by_role("button", name="Pause").wait_for()
    page.wait_for_function(f"words => !({SAYS})(words)", arg="Step 2.")
    page.keyboard.press("ArrowLeft")  # a step by hand ends the playing
    page.get_by_role("button", name="Play").wait_for()
    page.wait_for_timeout(300)  # on a busy machine the step itself is drawn later than the button
    held = step(page)
    page.wait_for_timeout(300)
    assert step(page) == held > 0 and page.zz_errors == []


def test_the_speed_multiplies_the_steps_and_survives_a_rerun(page, settle):
    page.goto("/trajectories")
    settle(page)
    speed = page.get_by_role("combobox", name="Speed")
    walked = {}
    for choice in ("0.25", "1", "4"):
        speed.select_option(choice)
        walked[choice] = page.evaluate(AFTER_A_SECOND)
    assert walked["1"] == 16 and walked["0.25"] == 4 and walked["4"] == 66  # 200 steps take 12 seconds at 1x
    page.locator(".st-key-learning_rate input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert speed.input_value() == "4" and page.zz_errors == []


def test_nothing_moves_by_itself(page, settle):
    page.emulate_media(reduced_motion="reduce")
    page.goto("/trajectories")
    settle(page)
    page.wait_for_timeout(500)
    assert step(page) == 0
    assert page.get_by_role("button", name="Play").count() == 1


def test_a_change_that_leaves_a_board_as_it_is_does_not_draw_it_again(page, settle):
    page.goto("/")
    settle(page)
    figure = """[...document.querySelector('.st-key-overview [data-testid="stBidiComponentIsolated"]').shadowRoot
        .querySelector('.board').zigzagBoard.charts.values()][0].ready"""
    page.evaluate(f"window.zzBefore = {figure}")
    page.get_by_role("button", name="Next: Two quadrants").click()
    settle(page)
    assert page.evaluate(f"window.zzBefore === {figure}")
    page.locator(".st-key-learning_rate input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert not page.evaluate(f"window.zzBefore === {figure}") and page.zz_errors == []
