"""What a build will cost: measured on a sample, forecast for the whole."""
