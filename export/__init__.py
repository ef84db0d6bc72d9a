"""How a model leaves: SavedModel for servers, TFLite for phones, each proved against the Keras model."""
