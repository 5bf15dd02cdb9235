extension ONNX {
  /// The files beside a model that hold data of its tensors.
  struct ExternalData {
    /// The data of a tensor whose `external_data` this is.
    mutating func bytes(_ entries: [(key: String, value: String)]) throws(FileError) -> Bytes {
      throw FileError(.unsupported, "external data is not read")
    }
  }
}
