"""Writing text with a language model: caches, samplers and the compiled decoding loop."""
