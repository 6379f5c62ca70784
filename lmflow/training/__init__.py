"""The one training loop, under `tf.distribute.MirroredStrategy`, that a kill at any step does not set back."""
