"""Anyone's activations and gradients diagnosed: does the layer suffer from its inputs' mean, would centering help?"""
from zz_core.diagnosis.agreement import BatchSigns, Share
from zz_core.diagnosis.diagnosis import Diagnosis, diagnose
from zz_core.diagnosis.gradients import GradientSigns, gradient_signs
from zz_core.diagnosis.spectra import Spectra, Spectrum
from zz_core.diagnosis.training import Trained, Training
from zz_core.diagnosis.verdict import THRESHOLDS, Words

__all__ = ["THRESHOLDS", "BatchSigns", "Diagnosis", "GradientSigns", "Share", "Spectra", "Spectrum", "Trained",
           "Training", "Words", "diagnose", "gradient_signs"]
