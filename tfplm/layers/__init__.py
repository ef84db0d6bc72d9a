"""Building blocks of the models: Keras layers on `keras.ops`, for every backend."""
