"""What a `torch.call` may call: a closed list.

The text of a module is data, and what it calls ends up in a program that runs, so that a
name outside of this list does not verify. A new lowering that needs a new function adds it
here, and its kind follows from its prefix:

| prefix      | prints as                  | is                                           |
|-------------|----------------------------|----------------------------------------------|
| `torch.`    | `torch.cat([a, b], dim=1)` | a function of torch                          |
| `F.`        | `F.relu(x)`                | a function of torch.nn.functional            |
| `Tensor.`   | `x.reshape(1, -1)`         | a method                                     |
| `operator.` | `a + b`, `-a`, `a[...]`    | a Python operator                            |
| `ops.`      | `ops.reshape(x, shape)`    | ONNX semantics that PyTorch has no call for  |
| `kernels.`  | `kernels.max_pool2d(x, 3)` | a function of torch, by another provider     |
"""

from __future__ import annotations

UNARY_OPERATORS = {"operator.neg": "-", "operator.invert": "~"}

BINARY_OPERATORS = {
    "operator.add": "+",
    "operator.sub": "-",
    "operator.mul": "*",
    "operator.truediv": "/",
    "operator.pow": "**",
    "operator.matmul": "@",
    "operator.and_": "&",
    "operator.or_": "|",
    "operator.xor": "^",
    "operator.eq": "==",
    "operator.lt": "<",
    "operator.le": "<=",
    "operator.gt": ">",
    "operator.ge": ">=",
}

_FUNCTIONS = {
    "torch": "abs acos acosh amax amin argmax argmin asin asinh atan atanh bitwise_left_shift "
    "bitwise_right_shift cat ceil clamp cos cosh cumsum det div einsum erf exp flatten "
    "flip floor fmod full isinf isnan log maximum mean minimum movedim reciprocal remainder round "
    "sigmoid sign sin sinh split sqrt squeeze sum tan tanh tril triu where",
    "F": "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d avg_pool1d avg_pool2d "
    "avg_pool3d batch_norm celu conv1d conv2d conv3d conv_transpose1d conv_transpose2d "
    "conv_transpose3d elu gelu group_norm hardsigmoid hardswish instance_norm "
    "interpolate leaky_relu local_response_norm log_softmax max_pool1d max_pool2d "
    "max_pool3d mish normalize pad pixel_shuffle pixel_unshuffle relu rms_norm "
    "scaled_dot_product_attention silu softmax softplus softsign",
    "Tensor": "expand mT permute reshape squeeze to unsqueeze",
    "operator": "getitem",
    "kernels": "adaptive_avg_pool2d avg_pool2d max_pool2d scaled_dot_product_attention",
    "ops": "arg_reduce avg_pool clip constant_of_shape cumsum depth_to_space dropout_mask "
    "expand eye_like flatten gather gather_elements gather_nd hardmax layer_norm "
    "legacy_softmax local_response_norm max_pool mean_variance_norm non_zero one_hot pad "
    "prelu range reduce reshape resize same_pad scatter_elements scatter_nd shape shrink "
    "size slice space_to_depth split squeeze tile top_k trilu unsqueeze "
    "length part "
    "encode impute join_features normalize positive post_transform rows take_features two_scores "
    "svm_kernel svm_probabilities svm_vote",
}

CALLEES = (
    frozenset(f"{prefix}.{name}" for prefix, names in _FUNCTIONS.items() for name in names.split())
    | UNARY_OPERATORS.keys()
    | BINARY_OPERATORS.keys()
)

LAYERS = frozenset(
    [
        "Conv1d",
        "Conv2d",
        "Conv3d",
        "ConvTranspose1d",
        "ConvTranspose2d",
        "ConvTranspose3d",
        "Linear",
        "BatchNorm",
        "LayerNorm",
        "Embedding",
        "PReLU",
        "TreeClassifier",
        "TreeEnsemble",
    ]
)
"""The layers that ramiel.runtime exports: callables made once, with their weights."""
