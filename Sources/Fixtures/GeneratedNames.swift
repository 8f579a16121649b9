/// Words of made-up people and their payments.
enum GeneratedNames {
  static let first = [
    "Ada", "Alan", "Barbara", "Claude", "Donald", "Edsger", "Frances", "Grace", "Hedy", "Ivan", "Jean", "Ken",
    "Leslie", "Margaret", "Niklaus", "Ole", "Peter", "Radia", "Sophie", "Tony",
  ]
  static let last = [
    "Allen", "Bartik", "Church", "Dahl", "Easley", "Floyd", "Goldberg", "Hopper", "Iverson", "Johnson",
    "Kernighan", "Lamport", "Milner", "Naur", "Perlman", "Ritchie", "Shannon", "Turing", "Wirth", "Zuse",
  ]
  static let wallets = ["main", "savings", "trading", "cold", "travel", "shop"]
  static let memos = ["rent", "salary", "coffee", "refund", "groceries", "tickets", "fees", "dinner"]
}
