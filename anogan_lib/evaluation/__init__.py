"""Judge a detector: thresholds, single figures (metrics), all figures (evaluation), simple baselines, regions."""
