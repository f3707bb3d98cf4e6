"""Students that learn from what they did themselves.

`reinforce` is the stage: rounds of play on train variations, each followed by updates that make
what scored better than its like more probable. `attempts` plays, `credit` weighs what was written,
`draw` chooses what is played, `policy_loss` is what an update descends, `policy` holds the weights
and carries them over a kill.
"""
