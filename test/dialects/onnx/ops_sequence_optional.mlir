// RUN: ramiel-opt %s | filecheck %s
// RUN: ramiel-opt %s | ramiel-opt | filecheck %s
// RUN: ramiel-opt --print-op-generic %s | ramiel-opt | filecheck %s

// Sequences, optionals and strings: the types that are no tensors of numbers.

// CHECK: builtin.module attributes {onnx.opset = 20 : i64} {
builtin.module attributes {onnx.opset = 20 : i64} {
  // CHECK: func.func @sequences(%x: tensor<2xf32>, %n: tensor<i64>, %s: !onnx.seq<tensor<2xf32>>, %o: !onnx.optional<tensor<2xf32>>, %t: tensor<?x4xf32>, %sizes: tensor<3xi64>) {
  func.func @sequences(%x: tensor<2xf32>, %n: tensor<i64>, %s: !onnx.seq<tensor<2xf32>>, %o: !onnx.optional<tensor<2xf32>>, %t: tensor<?x4xf32>, %sizes: tensor<3xi64>) {
    // CHECK-NEXT: %none = onnx.NoValue() : () -> none
    %none = onnx.NoValue() : () -> none
    // CHECK-NEXT: %sequence_empty = onnx.SequenceEmpty() {dtype = 1 : i64} : () -> !onnx.seq<tensor<*xf32>>
    %sequence_empty = onnx.SequenceEmpty() {dtype = 1 : i64} : () -> !onnx.seq<tensor<*xf32>>
    // CHECK-NEXT: %sequence_construct = onnx.SequenceConstruct(%x, %x) : (tensor<2xf32>, tensor<2xf32>) -> !onnx.seq<tensor<2xf32>>
    %sequence_construct = onnx.SequenceConstruct(%x, %x) : (tensor<2xf32>, tensor<2xf32>) -> !onnx.seq<tensor<2xf32>>
    // CHECK-NEXT: %sequence_insert = onnx.SequenceInsert(%s, %x) : (!onnx.seq<tensor<2xf32>>, tensor<2xf32>) -> !onnx.seq<tensor<2xf32>>
    %sequence_insert = onnx.SequenceInsert(%s, %x) : (!onnx.seq<tensor<2xf32>>, tensor<2xf32>) -> !onnx.seq<tensor<2xf32>>
    // CHECK-NEXT: %sequence_insert2 = onnx.SequenceInsert(%s, %x, %n) : (!onnx.seq<tensor<2xf32>>, tensor<2xf32>, tensor<i64>) -> !onnx.seq<tensor<2xf32>>
    %sequence_insert2 = onnx.SequenceInsert(%s, %x, %n) : (!onnx.seq<tensor<2xf32>>, tensor<2xf32>, tensor<i64>) -> !onnx.seq<tensor<2xf32>>
    // CHECK-NEXT: %sequence_erase = onnx.SequenceErase(%s, %n) : (!onnx.seq<tensor<2xf32>>, tensor<i64>) -> !onnx.seq<tensor<2xf32>>
    %sequence_erase = onnx.SequenceErase(%s, %n) : (!onnx.seq<tensor<2xf32>>, tensor<i64>) -> !onnx.seq<tensor<2xf32>>
    // CHECK-NEXT: %sequence_at = onnx.SequenceAt(%s, %n) : (!onnx.seq<tensor<2xf32>>, tensor<i64>) -> tensor<2xf32>
    %sequence_at = onnx.SequenceAt(%s, %n) : (!onnx.seq<tensor<2xf32>>, tensor<i64>) -> tensor<2xf32>
    // CHECK-NEXT: %sequence_length = onnx.SequenceLength(%s) : (!onnx.seq<tensor<2xf32>>) -> tensor<i64>
    %sequence_length = onnx.SequenceLength(%s) : (!onnx.seq<tensor<2xf32>>) -> tensor<i64>
    // CHECK-NEXT: %concat_from_sequence = onnx.ConcatFromSequence(%s) {axis = 0 : i64, new_axis = 1 : i64} : (!onnx.seq<tensor<2xf32>>) -> tensor<?x2xf32>
    %concat_from_sequence = onnx.ConcatFromSequence(%s) {axis = 0 : i64, new_axis = 1 : i64} : (!onnx.seq<tensor<2xf32>>) -> tensor<?x2xf32>
    // CHECK-NEXT: %split_to_sequence = onnx.SplitToSequence(%t, %sizes) {axis = 1 : i64} : (tensor<?x4xf32>, tensor<3xi64>) -> !onnx.seq<tensor<?x?xf32>>
    %split_to_sequence = onnx.SplitToSequence(%t, %sizes) {axis = 1 : i64} : (tensor<?x4xf32>, tensor<3xi64>) -> !onnx.seq<tensor<?x?xf32>>
    // CHECK-NEXT: %split_to_sequence2 = onnx.SplitToSequence(%t) {keepdims = 0 : i64} : (tensor<?x4xf32>) -> !onnx.seq<tensor<4xf32>>
    %split_to_sequence2 = onnx.SplitToSequence(%t) {keepdims = 0 : i64} : (tensor<?x4xf32>) -> !onnx.seq<tensor<4xf32>>
    // CHECK-NEXT: %identity = onnx.Identity(%s) : (!onnx.seq<tensor<2xf32>>) -> !onnx.seq<tensor<2xf32>>
    %identity = onnx.Identity(%s) : (!onnx.seq<tensor<2xf32>>) -> !onnx.seq<tensor<2xf32>>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @optionals(%x: tensor<2xf32>, %s: !onnx.seq<tensor<2xf32>>, %o: !onnx.optional<tensor<2xf32>>) {
  func.func @optionals(%x: tensor<2xf32>, %s: !onnx.seq<tensor<2xf32>>, %o: !onnx.optional<tensor<2xf32>>) {
    // A TYPE_PROTO attribute is a type.
    // CHECK-NEXT: %optional = onnx.Optional() {type = tensor<2xf32>} : () -> !onnx.optional<tensor<2xf32>>
    %optional = onnx.Optional() {type = tensor<2xf32>} : () -> !onnx.optional<tensor<2xf32>>
    // CHECK-NEXT: %optional2 = onnx.Optional() {type = !onnx.seq<tensor<2xf32>>} : () -> !onnx.optional<!onnx.seq<tensor<2xf32>>>
    %optional2 = onnx.Optional() {type = !onnx.seq<tensor<2xf32>>} : () -> !onnx.optional<!onnx.seq<tensor<2xf32>>>
    // CHECK-NEXT: %optional3 = onnx.Optional(%s) : (!onnx.seq<tensor<2xf32>>) -> !onnx.optional<!onnx.seq<tensor<2xf32>>>
    %optional3 = onnx.Optional(%s) : (!onnx.seq<tensor<2xf32>>) -> !onnx.optional<!onnx.seq<tensor<2xf32>>>
    // CHECK-NEXT: %optional_has_element = onnx.OptionalHasElement(%o) : (!onnx.optional<tensor<2xf32>>) -> tensor<i1>
    %optional_has_element = onnx.OptionalHasElement(%o) : (!onnx.optional<tensor<2xf32>>) -> tensor<i1>
    // CHECK-NEXT: %optional_has_element2 = onnx.OptionalHasElement() : () -> tensor<i1>
    %optional_has_element2 = onnx.OptionalHasElement() : () -> tensor<i1>
    // CHECK-NEXT: %optional_get_element = onnx.OptionalGetElement(%o) : (!onnx.optional<tensor<2xf32>>) -> tensor<2xf32>
    %optional_get_element = onnx.OptionalGetElement(%o) : (!onnx.optional<tensor<2xf32>>) -> tensor<2xf32>
    // CHECK-NEXT: %optional_get_element2 = onnx.OptionalGetElement(%x) : (tensor<2xf32>) -> tensor<2xf32>
    %optional_get_element2 = onnx.OptionalGetElement(%x) : (tensor<2xf32>) -> tensor<2xf32>
    // CHECK-NEXT: func.return
    func.return
  }

  // CHECK: func.func @strings(%s: tensor<2x!onnx.string>) {
  func.func @strings(%s: tensor<2x!onnx.string>) {
    // CHECK-NEXT: %string_concat = onnx.StringConcat(%s, %s) : (tensor<2x!onnx.string>, tensor<2x!onnx.string>) -> tensor<2x!onnx.string>
    %string_concat = onnx.StringConcat(%s, %s) : (tensor<2x!onnx.string>, tensor<2x!onnx.string>) -> tensor<2x!onnx.string>
    // CHECK-NEXT: %string_split.a, %string_split.b = onnx.StringSplit(%s) {delimiter = "\22", maxsplit = 2 : i64} : (tensor<2x!onnx.string>) -> (tensor<2x?x!onnx.string>, tensor<2xi64>)
    %string_split.a, %string_split.b = onnx.StringSplit(%s) {delimiter = "\22", maxsplit = 2 : i64} : (tensor<2x!onnx.string>) -> (tensor<2x?x!onnx.string>, tensor<2xi64>)
    // CHECK-NEXT: %regex_full_match = onnx.RegexFullMatch(%s) {pattern = "\\d+ \\\22x"} : (tensor<2x!onnx.string>) -> tensor<2xi1>
    %regex_full_match = onnx.RegexFullMatch(%s) {pattern = "\\d+ \\\22x"} : (tensor<2x!onnx.string>) -> tensor<2xi1>
    // CHECK-NEXT: %string_normalizer = onnx.StringNormalizer(%s) {case_change_action = "LOWER", locale = "en_US", stopwords = ["the", "\C3\BCber"]} : (tensor<2x!onnx.string>) -> tensor<2x!onnx.string>
    %string_normalizer = onnx.StringNormalizer(%s) {case_change_action = "LOWER", locale = "en_US", stopwords = ["the", "\C3\BCber"]} : (tensor<2x!onnx.string>) -> tensor<2x!onnx.string>
    // CHECK-NEXT: %tf_idf_vectorizer = onnx.TfIdfVectorizer(%s) {max_gram_length = 1 : i64, max_skip_count = 0 : i64, min_gram_length = 1 : i64, mode = "TFIDF", ngram_counts = array<i64: 0>, ngram_indexes = array<i64: 0, 1>, pool_strings = ["a", "b"], weights = array<f32: 1.000000e+00, 2.000000e+00>} : (tensor<2x!onnx.string>) -> tensor<2xf32>
    %tf_idf_vectorizer = onnx.TfIdfVectorizer(%s) {max_gram_length = 1 : i64, max_skip_count = 0 : i64, min_gram_length = 1 : i64, mode = "TFIDF", ngram_counts = array<i64: 0>, ngram_indexes = array<i64: 0, 1>, pool_strings = ["a", "b"], weights = array<f32: 1.000000e+00, 2.000000e+00>} : (tensor<2x!onnx.string>) -> tensor<2xf32>
    // CHECK-NEXT: func.return
    func.return
  }
}
