"""What changes the weights: optimizers, and the learning rate over a training."""
