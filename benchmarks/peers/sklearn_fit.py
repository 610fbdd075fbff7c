"""scikit-learn: SGDRegressor with a constant rate and without a penalty, one epoch over the samples as they were drawn.

It takes single samples and gives the last weights; there is no history to compare.
"""
import numpy as np
from sklearn.linear_model import SGDRegressor

from benchmarks.peers import Trained
from zz_core import Run


def neuron(run: Run, replicates: int) -> Trained:
    """The weights after the last step."""
    if run.experiment.batch_size != 1:
        raise ValueError(f"batch_size={run.experiment.batch_size}: must be 1 for SGDRegressor")

    def weights(order: np.ndarray) -> np.ndarray:
        model = SGDRegressor(penalty=None, learning_rate="constant", eta0=run.learning_rate, fit_intercept=False,
                             max_iter=1, tol=None, shuffle=False)
        return model.fit(run.inputs[order], run.targets[order]).coef_

    return lambda: np.array([[weights(run.batches[replicate, :, 0])] for replicate in range(replicates)])
