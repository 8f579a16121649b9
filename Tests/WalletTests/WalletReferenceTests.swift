import Primitives
import Testing
import Wallet

@Suite struct WalletReferenceTests {
  private static let address = "0x52908400098527886e0f7030069857d2e4169ee7"

  @Test(arguments: [
    "0x52908400098527886E0F7030069857D2E4169EE7", "0X52908400098527886e0f7030069857d2e4169ee7",
    "52908400098527886E0F7030069857D2E4169EE7", "52908400098527886e0f7030069857d2e4169ee7",
  ])
  func anAddressHasOneFormWhateverItsCaseAndPrefix(text: String) {
    #expect(WalletReference(text) == .address(Self.address))
    #expect(WalletReference.normalized(address: text) == Self.address)
  }

  @Test func anIdIsAnIdInEitherCase() throws {
    let id = try #require(Identifier("01939bb7-9d52-7000-8000-00000000abcd"))
    #expect(WalletReference("01939bb7-9d52-7000-8000-00000000abcd") == .id(id))
    #expect(WalletReference("01939BB7-9D52-7000-8000-00000000ABCD") == .id(id))
  }

  @Test(arguments: [
    ("ada@example.com/main", "ada@example.com", "main"), ("ada@example.com/a/b", "ada@example.com", "a/b"),
    ("o/hara@example.com/main", "o/hara@example.com", "main"), ("ada@example.com/ ", "ada@example.com", " "),
    ("ada@example.com/x@y/z", "ada@example.com", "x@y/z"), ("ä@ö/ü", "ä@ö", "ü"),
  ])
  func anOwnerAndANameAreSplitAtTheFirstSlashOfTheDomain(text: String, email: String, wallet: String) {
    #expect(WalletReference(text) == .named(email: email, wallet: wallet))
  }

  @Test(arguments: [
    "", "0x", "xyz", "ada@example.com", "ada@example.com/", "main", "ada/main", "0xgg", "0x12 ", " 0x12",
    "a@b/\0",
    "01939bb7-9d52-7000-8000-00000000abc", "01939bb7-9d52-7000-8000-00000000abcde", "０x12",
    "0x" + String(repeating: "a", count: 65),
  ])
  func whatNamesNoWalletIsKeptAsItWas(text: String) {
    #expect(WalletReference(text) == .malformed(text))
  }
}

@Suite struct ResultCodeTests {
  /// SPEC section 2.4, copied: scripts match these words, and the first that applies is the answer.
  @Test func codesStandInTheOrderOfTheContract() {
    let contract = """
      created exists key_reused_with_different_request wallets_must_differ amount_invalid amount_not_positive \
      amount_precision_exceeded amount_out_of_range currency_not_found source_not_found destination_not_found \
      source_closed destination_closed source_frozen destination_frozen insufficient_funds balance_out_of_range \
      hold_not_found hold_not_pending hold_expired exceeds_hold_amount transfer_not_found transfer_not_posted \
      exceeds_reversible_amount batch_aborted
      """
    #expect(ResultCode.allCases.map(\.rawValue).joined(separator: " ") == contract)
  }

  @Test func onlyRefusalsThatDependOnStateAreRecorded() {
    let recorded: Set<ResultCode> = [
      .sourceClosed, .destinationClosed, .sourceFrozen, .destinationFrozen, .insufficientFunds,
      .balanceOutOfRange, .holdNotPending, .holdExpired, .exceedsHoldAmount, .transferNotPosted,
      .exceedsReversibleAmount,
    ]
    #expect(Set(ResultCode.allCases.filter(\.isRecorded)) == recorded)
  }

  @Test func everyRefusalSaysWhatToDo() {
    for code in ResultCode.allCases {
      #expect(!code.sentence.isEmpty)
      #expect((code.hint == nil) == code.isSuccess, "\(code)")
    }
  }
}
