"""What mathematics predicts for the runs: closed forms and quadratures, no simulation. Angles are in radians."""
from zz_core.theory.cones import (
    cone_detour,
    data_cone_detour,
    kaczmarz_errors,
    mean_cone_detour,
    planar_cone_detour,
)
from zz_core.theory.descent import (
    MomentumRates,
    MomentumTunings,
    Tuning,
    gradient_descent_path,
    levenberg_marquardt_factors,
    line_search_ratio,
    momentum_rates,
    momentum_tunings,
    steps_to,
    zigzag_cosine,
    zigzag_length,
)
from zz_core.theory.lms import (
    FiniteDataCurve,
    finite_data_curve,
    lms_curve,
    lms_map,
    lms_max_rate,
    lms_misadjustment,
    stationary_turning,
)
from zz_core.theory.moments import activation_moments
from zz_core.theory.saturation import saturation_delay
from zz_core.theory.signs import (
    batch_same_sign_probability,
    energy_share,
    mixing_batch_size,
    same_sign_probability,
)
from zz_core.theory.spectrum import RateZones, centering_gain, condition_number, rate_zones, spectrum

__all__ = [
    "FiniteDataCurve",
    "MomentumRates",
    "MomentumTunings",
    "RateZones",
    "Tuning",
    "activation_moments",
    "batch_same_sign_probability",
    "centering_gain",
    "condition_number",
    "cone_detour",
    "data_cone_detour",
    "energy_share",
    "finite_data_curve",
    "gradient_descent_path",
    "kaczmarz_errors",
    "levenberg_marquardt_factors",
    "line_search_ratio",
    "lms_curve",
    "lms_map",
    "lms_max_rate",
    "lms_misadjustment",
    "mean_cone_detour",
    "mixing_batch_size",
    "momentum_rates",
    "momentum_tunings",
    "planar_cone_detour",
    "rate_zones",
    "same_sign_probability",
    "saturation_delay",
    "spectrum",
    "stationary_turning",
    "steps_to",
    "zigzag_cosine",
    "zigzag_length",
]
