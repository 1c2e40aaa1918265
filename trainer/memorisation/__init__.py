"""What a model says by heart: planted texts by how often they stood in its corpus, and canaries."""
