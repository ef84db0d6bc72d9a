"""Objectives: an encoder, a head, losses and metrics in one Keras model each."""
