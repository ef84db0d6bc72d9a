"""How tasks answer strings: the one graph behind predict, evaluate and every export."""
