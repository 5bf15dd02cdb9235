/// A safetensors file by hand: the length of the header, the header, the data.
package func safetensors(_ header: String, data: [UInt8]) -> [UInt8] {
  let header = Array(header.utf8)
  return (0..<8).map { UInt8(truncatingIfNeeded: header.count >> ($0 * 8)) } + header + data
}

/// Two tensors in 172 bytes: `b`, the u8 values 7 and 8, and `a.weight`, the f32 matrix 1, 2, 3; 4, 5, 6.
package let tinySafetensors = safetensors(
  #"{"b":{"dtype":"U8","shape":[2],"data_offsets":[24,26]},"#
    + #""a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#,
  data: [
    0, 0, 0x80, 0x3F, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40, 0, 0, 0x80, 0x40, 0, 0, 0xA0, 0x40, 0, 0, 0xC0, 0x40, 7, 8,
  ])
