"""The trainer: the Apertus architecture on token shards. Knows the shard format and nothing of how shards are made."""
