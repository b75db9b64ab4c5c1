"""An encoder, what a task reads from it, and the task's head: the whole that is trained."""

import keras


class Network(keras.layers.Layer):
    """`call` goes from ids to the head's outputs; `features` and `head` are its two halves."""

    def __init__(self, backbone, head, task, pool, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.backbone, self.head, self.task, self.pool = backbone, head, task, pool
        head.build((None, backbone.config.hidden_size))
        self.built = True

    def features(self, ids, segments, mask, training=False):
        """What the head reads: [batch, hidden], or [batch, length, hidden] for tasks that look at tokens."""
        states = self.backbone(ids, segments, mask, training=training)
        return states if self.task.per_token else self.backbone.pool(states, mask, self.pool)

    def call(self, ids, segments, mask, training=False):
        return self.head(self.features(ids, segments, mask, training=training), training=training)

    def train_only(self, train):
        """`train`: "all" or "top:k", the last k blocks. The head is always trained, the pooler where it is read."""
        self.backbone.train_upper(None if train == "all" else int(train.removeprefix("top:")))
        if self.backbone.pooler:
            self.backbone.pooler.trainable = self.pool == "pooler" and not self.task.per_token
