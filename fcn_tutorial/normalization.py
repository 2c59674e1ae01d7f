"""Batch normalization that TensorFlow computes in one operation, as it did before Keras 3.

Keras 3 writes it out in a dozen operations, each of which reads or writes the whole map: in a small
network that takes longer than the convolutions between them.

Source: Ioffe and Szegedy 2015, Algorithm 1.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable("fcn_tutorial")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer for maps (N, H, W, C), with the same weights, states and outputs.

    Only a training step on TensorFlow goes another way; with the batch split over several devices
    (`synchronized`) and on the other backends it is Keras's own.
    """

    def call(self, inputs, training=None, mask=None):
        learning = training and self.trainable
        if not learning or self.synchronized or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        # TensorFlow divides by one less than the number of cells, Keras and the paper's step by it.
        cells = ops.cast(ops.prod(ops.shape(inputs)[:3]), variance.dtype)
        self._follow(self.moving_mean, mean)
        self._follow(self.moving_variance, variance * ((cells - 1) / cells))
        return outputs

    def _follow(self, running, value):
        running.assign(running * self.momentum + value * (1 - self.momentum))
