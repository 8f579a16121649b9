import TestSupport
import Testing
import Wallet

/// What `Amount.parse` makes of a text: minor units, or the code of the refusal.
private func parsed(_ text: String, _ scale: Int) -> Result<Int128, ResultCode> {
  do throws(ResultCode) { return .success(try Amount.parse(text, scale: scale)) } catch {
    return .failure(error)
  }
}

@Suite struct AmountTests {
  @Test(arguments: [
    ("1", 0, Int128(1)), ("1", 2, 100), ("1.1", 2, 110), ("1.10", 2, 110), ("0.01", 2, 1), ("007", 0, 7),
    ("000000000000000000000000000000000000000000001", 0, 1), ("0.000000000000000001", 18, 1),
    ("1.000000000000000001", 18, 1_000_000_000_000_000_001),
    ("99999999999999999999999999999999999999", 0, Amount.limit),
    ("99999999999999999999.999999999999999999", 18, Amount.limit),
    ("00099999999999999999999.999999999999999999", 18, Amount.limit),
  ])
  func plainDecimalsAreReadExactly(text: String, scale: Int, expected: Int128) {
    #expect(parsed(text, scale) == .success(expected))
  }

  @Test(arguments: [
    "", " ", ".", "1.", ".5", "-1", "+1", "-0", "1e3", "1E3", "0x10", "1,000", "1_000", "1.2.3", "1..2", " 1",
    "1 ",
    "1\n", "\u{FEFF}1", "1\0", "NaN", "inf", "Infinity", "١٢", "１２", "१२", "１.５", "1．5", "1٫5", "½", "²",
    "1\u{301}",
    "$1", "1$", "one", "12.5 USD", "--", "‐1", "−1",
  ])
  func anythingElseIsInvalid(text: String) {
    for scale in [0, 2, 18] {
      #expect(parsed(text, scale) == .failure(.amountInvalid), "\(text.debugDescription)")
    }
  }

  @Test(arguments: ["0", "00", "0.0", "0.00", "0.0000000000000000000000", String(repeating: "0", count: 100)])
  func zeroIsNotPositiveWhateverItsLength(text: String) {
    for scale in [0, 1, 18] { #expect(parsed(text, scale) == .failure(.amountNotPositive)) }
  }

  @Test(arguments: [
    ("1.10", 1), ("1.0", 0), ("0.001", 2), ("0.0000000000000000001", 18), ("1.000", 2),
    // A trailing zero is a digit: whoever writes it believes in a finer scale. Precision comes before range.
    (String(repeating: "9", count: 100) + ".123", 2), ("0." + String(repeating: "0", count: 99) + "1", 18),
  ])
  func moreDigitsThanTheScaleAreRefused(text: String, scale: Int) {
    #expect(parsed(text, scale) == .failure(.amountPrecisionExceeded))
  }

  @Test(arguments: [
    ("100000000000000000000000000000000000000", 0), ("999999999999999999999999999999999999999", 0),
    ("1000000000000000000000000000000000000", 2), ("100000000000000000000", 18),
    ("170141183460469231731687303715884105728", 0), ("340282366920938463463374607431768211456", 0),
    (String(repeating: "9", count: 100), 0), (String(repeating: "1", count: 100_000), 18),
  ])
  func beyond38DigitsIsOutOfRange(text: String, scale: Int) {
    #expect(parsed(text, scale) == .failure(.amountOutOfRange))
  }

  @Test(arguments: [
    (Int128(0), 0, "0"), (0, 2, "0.00"), (1, 2, "0.01"), (-1, 2, "-0.01"), (100, 2, "1.00"),
    (12_500_000, 6, "12.500000"),
    (-12_500_000, 6, "-12.500000"), (1, 18, "0.000000000000000001"), (7, 0, "7"),
    (Amount.limit, 18, "99999999999999999999.999999999999999999"),
    (-Amount.limit, 0, "-99999999999999999999999999999999999999"),
    (Int128.min, 0, "-170141183460469231731687303715884105728"),
  ])
  func amountsAreWrittenWithAllTheirDigits(amount: Int128, scale: Int, expected: String) {
    #expect(Amount.format(amount, scale: scale) == expected)
  }

  @Test(arguments: seeds(fresh: 5))
  func whatIsWrittenIsReadBack(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<2000 {
      let scale = Int.random(in: 0...18, using: &random)
      // Every length of number comes as often as any other.
      let bound = (0..<Int.random(in: 0...37, using: &random)).reduce(Int128(10)) { power, _ in power * 10 }
      let amount = Int128.random(in: 1..<bound, using: &random)
      let text = Amount.format(amount, scale: scale)
      #expect(parsed(text, scale) == .success(amount), "seed \(seed)")
      #expect(parsed("000" + text, scale) == .success(amount), "seed \(seed)")
    }
  }

  @Test(arguments: seeds(fresh: 5))
  func parsingAgreesWithTheNaiveReading(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let alphabet = Array("00001234567899..-+e ٣")
    for _ in 0..<3000 {
      let length = Int.random(in: 0...(Bool.random(using: &random) ? 6 : 45), using: &random)
      let narrow = Bool.random(using: &random)
      let characters = (0..<length).compactMap { _ in
        (narrow ? alphabet[..<15] : alphabet[...]).randomElement(using: &random)
      }
      let text = String(characters)
      let scale = Int.random(in: 0...18, using: &random)
      #expect(
        parsed(text, scale) == naiveAmount(text, scale: scale),
        "seed \(seed): \(text.debugDescription) at \(scale)")
    }
  }

  @Test func sumsStayWithin38Digits() {
    #expect(Amount.sum(Amount.limit, 0) == Amount.limit)
    #expect(Amount.sum(Amount.limit, 1) == nil)
    #expect(Amount.sum(-Amount.limit, -1) == nil)
    #expect(Amount.sum(-Amount.limit, Amount.limit) == 0)
    #expect(Amount.sum(Amount.limit - 1, 1) == Amount.limit)
    #expect(Amount.sum(.max, .max) == nil)
    #expect(Amount.sum(.min, .min) == nil)
  }
}
