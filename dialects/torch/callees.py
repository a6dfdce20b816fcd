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
    "bitwise_right_shift cat cdist ceil clamp cos cosh cumprod cumsum det div einsum erf exp "
    "flatten flip floor fmod full group_norm inverse isinf isnan log maximum mean minimum movedim "
    "ones_like reciprocal remainder repeat_interleave round sigmoid sign sin sinh split sqrt "
    "squeeze stack sum tan tanh tril triu where zeros",
    "F": "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d affine_grid avg_pool1d "
    "avg_pool2d avg_pool3d batch_norm celu conv1d conv2d conv3d conv_transpose1d "
    "conv_transpose2d conv_transpose3d elu fold gelu grid_sample group_norm hardsigmoid "
    "hardswish instance_norm interpolate leaky_relu local_response_norm log_softmax "
    "max_pool1d max_pool2d max_pool3d mish pad pixel_shuffle pixel_unshuffle "
    "prelu relu rms_norm scaled_dot_product_attention silu softmax softplus softsign",
    "Tensor": "expand mT permute reshape squeeze to type_as unflatten unsqueeze view",
    "operator": "getitem",
    "kernels": "adaptive_avg_pool2d avg_pool2d max_pool2d scaled_dot_product_attention",
    "ops": "adagrad adam affine_grid arg_reduce attention_mask avg_pool batch_norm bernoulli cast "
    "clip col2im compress constant_of_shape conv_integer conv_transpose crop_and_resize cumprod "
    "cumsum decode_image deform_conv depth_to_space dequantize dft dropout dynamic_quantize "
    "encode expand eye_like first_rows flatten format_numbers gather gather_elements gather_nd "
    "get_element global_lp_pool grid_sample_cubic group_query_attention gru hardmax has_element "
    "impute instance_norm join_features layer_norm legacy_softmax length local_response_norm "
    "lp_normalize lp_pool lstm mask_lengths matmul_integer matmul_n_bits max_pool max_roi_pool "
    "max_unpool mean_variance_norm mel_weight_matrix momentum multinomial non_max_suppression "
    "non_zero normalize nothing one_hot ordered pad parse_numbers part positive post_transform "
    "prelu quantize random_normal random_uniform range reduce refuse regex_full_match requantize "
    "reshape resize reverse_sequence rnn roi_align rotary rows same_pad scatter_elements "
    "scatter_nd sequence sequence_at sequence_erase sequence_insert sequence_length shape shrink "
    "sign simplified_layer_norm size slice space_to_depth split split_to_sequence squeeze stft "
    "string_concat string_normalize string_split strings svm_kernel svm_probabilities svm_vote "
    "take_features tensor_scatter tile tokenize top_k transpose trilu two_scores unique "
    "unique_in_order unordered unsigned_div unsigned_remainder unsigned_right_shift unsqueeze "
    "vectorize zip_map",
}

CALLEES = (
    frozenset(f"{prefix}.{name}" for prefix, names in _FUNCTIONS.items() for name in names.split())
    | UNARY_OPERATORS.keys()
    | BINARY_OPERATORS.keys()
)

LAYERS = frozenset(
    [
        "BatchNorm",
        "Conv1d",
        "Conv2d",
        "Conv3d",
        "ConvTranspose1d",
        "ConvTranspose2d",
        "ConvTranspose3d",
        "Embedding",
        "GRU",
        "LSTM",
        "LabelEncoder",
        "LayerNorm",
        "Linear",
        "PReLU",
        "RNN",
        "TfIdfVectorizer",
        "TreeClassifier",
        "TreeEnsemble",
    ]
)
"""The layers of ramiel.runtime: callables made once, with their weights."""

WITHOUT_WEIGHTS = frozenset(["LabelEncoder", "TfIdfVectorizer"])
"""Those whose tables stand in their configuration."""
