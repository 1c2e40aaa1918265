"""From token shards to samples: order, mixture, packing, all pure functions of the sample number."""
