// RUN: ramiel-opt --split-input-file --verify-diagnostics %s | filecheck %s

// What the verifier says of sequences, optionals and strings.

// A tensor for a sequence.
// CHECK: error: node "sequence_at" (SequenceAt, opset 17): input 0 (input_sequence) may not be tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>, %n: tensor<i64>) {
    %sequence_at = onnx.SequenceAt(%x, %n) : (tensor<2xf32>, tensor<i64>) -> tensor<2xf32>
    func.return
  }
}

// -----

// A sequence of a type that there is none of.
// CHECK: error: node "sequence_construct" (SequenceConstruct, opset 17): input 0 (inputs) may not be tensor(float8e4m3fn)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%n: tensor<2xf8E4M3FN>) {
    %sequence_construct = onnx.SequenceConstruct(%n) : (tensor<2xf8E4M3FN>) -> !onnx.seq<tensor<2xf8E4M3FN>>
    func.return
  }
}

// -----

// A position that is no integer.
// CHECK: error: node "sequence_erase" (SequenceErase, opset 17): input 1 (position) may not be tensor(float)
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%s: !onnx.seq<tensor<2xf32>>, %x: tensor<f32>) {
    %sequence_erase = onnx.SequenceErase(%s, %x) : (!onnx.seq<tensor<2xf32>>, tensor<f32>) -> !onnx.seq<tensor<2xf32>>
    func.return
  }
}

// -----

// A type for an integer.
// CHECK: error: node "sequence_empty" (SequenceEmpty, opset 17): attribute 'dtype' must be INT, is TYPE_PROTO
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %sequence_empty = onnx.SequenceEmpty() {dtype = f32} : () -> !onnx.seq<tensor<2xf32>>
    func.return
  }
}

// -----

// An integer for a type.
// CHECK: error: node "optional" (Optional, opset 17): attribute 'type' must be TYPE_PROTO, is INT
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %optional = onnx.Optional() {type = 1 : i64} : () -> !onnx.optional<tensor<2xf32>>
    func.return
  }
}

// -----

// Optionals came with opset 15.
// CHECK: error: node "optional" (Optional, opset 14): Optional is not in opset 14: it came with opset 15
builtin.module attributes {onnx.opset = 14 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %optional = onnx.Optional(%x) : (tensor<2xf32>) -> !onnx.optional<tensor<2xf32>>
    func.return
  }
}

// -----

// Numbers for strings.
// CHECK: error: node "string_concat" (StringConcat, opset 20): input 0 (X) may not be tensor(float)
builtin.module attributes {onnx.opset = 20 : i64} {
  func.func @f(%x: tensor<2xf32>) {
    %string_concat = onnx.StringConcat(%x, %x) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    func.return
  }
}

// -----

// A required list is missing.
// CHECK: error: node "tf_idf_vectorizer" (TfIdfVectorizer, opset 17): attribute 'ngram_indexes' is required
builtin.module attributes {onnx.opset = 17 : i64} {
  func.func @f(%x: tensor<2x!onnx.string>) {
    %tf_idf_vectorizer = onnx.TfIdfVectorizer(%x) {max_gram_length = 1 : i64, max_skip_count = 0 : i64, min_gram_length = 1 : i64, mode = "TF", ngram_counts = array<i64: 0>} : (tensor<2x!onnx.string>) -> tensor<2xf32>
    func.return
  }
}
