import Testing

@Suite struct PredicateTests {}
