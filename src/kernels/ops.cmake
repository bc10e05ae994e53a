# norms, activation functions, rope, attention
