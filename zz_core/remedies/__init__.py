"""What fixes it, and at what price: remedies as data, and the race between them."""
from zz_core.remedies.race import Goal, Lane, goal_of, lane_cost, normalized, race, run_lane
from zz_core.remedies.registry import DEFAULT_LANES, REMEDIES, Remedy, lane_experiment, why_left_out
from zz_core.remedies.search import Search
from zz_core.remedies.traps import Traps, traps_of

__all__ = ["DEFAULT_LANES", "REMEDIES", "Goal", "Lane", "Remedy", "Search", "Traps", "goal_of", "lane_experiment",
           "lane_cost", "normalized", "race", "run_lane", "traps_of", "why_left_out"]
