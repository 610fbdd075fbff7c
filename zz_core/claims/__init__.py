"""The sentences of the folklore, each with the experiments that decide it and the verdict they give."""
from zz_core.claims import batches, layers, paths, remedies, saturation, signs
from zz_core.claims.claim import Claim, Measured, Verdict, decide

TOPICS: dict[str, tuple[Claim, ...]] = {
    "One sample, one sign": signs.CLAIMS, "The path": paths.CLAIMS, "Adding gradients over a batch": batches.CLAIMS,
    "Saturation": saturation.CLAIMS, "Activations and deeper layers": layers.CLAIMS, "What to do": remedies.CLAIMS}
CLAIMS: tuple[Claim, ...] = tuple(claim for claims in TOPICS.values() for claim in claims)

__all__ = ["CLAIMS", "TOPICS", "Claim", "Measured", "Verdict", "decide"]
