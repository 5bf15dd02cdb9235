/// A number of bytes for people: `605.2 MB`, in powers of ten as file managers count.
func byteText(_ count: Int) -> String {
  var value = Double(count)
  for unit in ["B", "kB", "MB", "GB"] {
    if value < 999.95 { return unit == "B" ? "\(count) B" : "\(decimal(value, 1)) \(unit)" }
    value /= 1000
  }
  return "\(decimal(value, 1)) TB"
}

/// A number of operations of floating point: `8.7 GFLOP`.
func operationText(_ count: Int) -> String {
  let (unit, size) = count < 999_950_000 ? ("M", 1e6) : count < 999_950_000_000 ? ("G", 1e9) : ("T", 1e12)
  return "\(decimal(Double(count) / size, 1)) \(unit)FLOP"
}

/// A number with `digits` decimals.
func decimal(_ value: Double, _ digits: Int) -> String {
  guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
  var scale = 1.0
  for _ in 0..<digits { scale *= 10 }
  let scaled = Int64((abs(value) * scale).rounded())
  let whole = scaled / Int64(scale)
  let sign = value < 0 && scaled != 0 ? "-" : ""
  guard digits > 0 else { return "\(sign)\(whole)" }
  let rest = String(scaled % Int64(scale))
  return "\(sign)\(whole).\(String(repeating: "0", count: digits - rest.count))\(rest)"
}

/// A number with three significant digits: `1.23e-05`.
func scientific(_ value: Double) -> String {
  guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
  var exponent = 0
  var mantissa = abs(value)
  while mantissa >= 9.995 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
  while mantissa < 0.9995 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
  let sign = exponent < 0 ? "-" : "+"
  return "\(value < 0 ? "-" : "")\(decimal(mantissa, 2))e\(sign)\(abs(exponent) < 10 ? "0" : "")\(abs(exponent))"
}

/// A count with its thousands apart: `151,277,313`.
func grouped(_ count: Int) -> String {
  let digits = String(count)
  var result = ""
  for (index, digit) in digits.enumerated() {
    if index > 0, (digits.count - index) % 3 == 0 { result += "," }
    result.append(digit)
  }
  return result
}

/// A count with what is counted: `1 tensor`, `74 tensors`.
func counted(_ count: Int, _ noun: String) -> String { "\(grouped(count)) \(noun)\(count == 1 ? "" : "s")" }

/// Rows as columns, two spaces apart; all but the last are padded.
func table(_ rows: [[String]], indent: String = "") -> String {
  let columns = rows.map(\.count).max() ?? 0
  let widths = (0..<columns).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
  var result = ""
  for row in rows {
    var line = indent
    for (column, cell) in row.enumerated() {
      line += cell
      if column + 1 < row.count { line += String(repeating: " ", count: widths[column] - cell.count + 2) }
    }
    result += line + "\n"
  }
  return result
}
