"""Encoders: each takes a dictionary of token ids and masks and returns sequence and pooled outputs."""
