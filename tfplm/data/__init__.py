"""From raw text to batches: sources, cleaning, splitting, shards and pipelines."""
