"""The figures and pictures by which every task is judged; functions of arrays and texts, without TensorFlow."""
