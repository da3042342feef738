"""Where a run's truth comes from: measured homes or synthetic ones."""
