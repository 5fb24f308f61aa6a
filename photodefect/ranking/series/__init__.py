"""Series of photos that belong together: bursts, and brackets, stacks and the like, of which every photo is needed."""
