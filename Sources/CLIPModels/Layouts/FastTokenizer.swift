import Checkpoints

extension BytePairVocabulary {
  /// `tokenizer.json`: CLIP's byte pairs as transformers' fast tokenizer has them, which transformers.js and immich read.
  ///
  /// - Throws: `unsupported` for a vocabulary that is not of CLIP's kind.
  func fastTokenizer() throws(FileError) -> JSONValue {
    let special = ["<|startoftext|>", "<|endoftext|>"]
    let ids = special.compactMap { tokens.lastIndex(of: $0) }
    guard ids.count == 2, !merges.isEmpty else {
      throw FileError(.unsupported, "tokenizer.json needs merges, and tokens that begin and end a text")
    }
    var vocabulary = JSONObject()
    for (id, token) in tokens.enumerated() { vocabulary[token] = JSONValue(id) }
    let added = zip(special, ids).map { token, id -> JSONValue in
      [
        "id": JSONValue(id), "content": .string(token), "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true,
      ]
    }
    let words = #"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"#
    return [
      "version": "1.0", "truncation": .null, "padding": .null, "added_tokens": .array(added),
      "normalizer": [
        "type": "Sequence",
        "normalizers": [
          ["type": "NFC"], ["type": "Replace", "pattern": ["Regex": #"\s+"#], "content": " "], ["type": "Lowercase"],
        ],
      ],
      "pre_tokenizer": [
        "type": "Sequence",
        "pretokenizers": [
          ["type": "Split", "pattern": ["Regex": .string(words)], "behavior": "Removed", "invert": true],
          ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true],
        ],
      ],
      "post_processor": [
        "type": "RobertaProcessing", "sep": [.string(special[1]), JSONValue(ids[1])],
        "cls": [.string(special[0]), JSONValue(ids[0])], "trim_offsets": false, "add_prefix_space": false,
      ],
      "decoder": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true],
      "model": [
        "type": "BPE", "dropout": .null, "unk_token": .string(special[1]), "continuing_subword_prefix": "",
        "end_of_word_suffix": "</w>", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
        "vocab": .object(vocabulary), "merges": .array(merges.map(JSONValue.string)),
      ],
    ]
  }
}
