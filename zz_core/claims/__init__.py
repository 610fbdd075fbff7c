"""The sentences of the folklore, each with the experiments that decide it and the verdict they give."""
from zz_core.claims import batches, layers, paths, remedies, saturation, signs
from zz_core.claims.claim import Claim, Measured, Verdict, decide

CLAIMS: tuple[Claim, ...] = (*signs.CLAIMS, *paths.CLAIMS, *batches.CLAIMS, *saturation.CLAIMS, *layers.CLAIMS,
                             *remedies.CLAIMS)

__all__ = ["CLAIMS", "Claim", "Measured", "Verdict", "decide"]
