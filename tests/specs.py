"""The small network that tests train, as a spec."""

LSTM = """
[model]
words = { use = "embedding", dim = 16 }
[[model.rnn]]
hidden = 24
cell = "lstm"
"""

TRAINED = f"""{LSTM}\
[train]
epochs = 3
batch = 16
optimizer = {{ use = "adam", learning_rate = 5e-3 }}
schedule = {{ use = "exponential", decay = 0.5 }}
"""

BRIEF = f"""\
format = 1\
{LSTM}\
[train]
epochs = 2
batch = 16
"""
"""For commands, which are run many times."""
