"""What a training run is told: YAML, checked and frozen."""
