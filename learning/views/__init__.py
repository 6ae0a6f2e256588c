"""Pages about runs: training, photos rendered, outputs shown to people."""
