"""Studies over a fine-tuning experiment: how its figures hang on labels, on the split and on settings.

Each trains by the stages of `trainers.stages`, one folder a point, so that what is done is not done again.
"""
