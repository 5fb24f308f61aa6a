"""The method that every command shares: what the networks see, the networks, the loss and the sampler."""
