"""How a model learns: pretraining, fine-tuning, evaluation, checkpoints and reports."""
