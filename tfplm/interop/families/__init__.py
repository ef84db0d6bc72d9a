"""One file for each family of foreign checkpoints: its configuration and its names of tensors."""
