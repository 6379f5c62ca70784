"""Word vectors against those who do the same: speed, scores, and what a retraining costs."""
