import Postgres
import Primitives
import TestSupport

@testable import Indexes

/// A database with an index for every mistake that audits are known to make. Each table is a case of its own.
enum Traps {
  static let template = DatabaseTemplate("index_traps") { database in
    try await database.sql(schema)
  }

  /// What a true audit finds redundant: the index, the one that stays for it.
  static let superfluous: Set<String> = [
    "duplicate t_class.class_v_renamed < class_v",
    "duplicate t_desc.desc_a_desc < desc_a",
    "duplicate t_desc.desc_a_b_desc_mirror < desc_a_b_desc",
    "duplicate t_equal.equal_2 < equal_1",
    "duplicate t_equal.equal_3 < equal_1",
    "duplicate t_exclusion.exclusion_plain < t_exclusion_a_excl",
    "duplicate t_gin.gin_y_x < gin_x_y",
    "duplicate t_gist.gist_2 < gist_1",
    "duplicate t_hash.hash_2 < hash_1",
    "duplicate t_partial.partial_c_again < partial_c",
    "duplicate t_partial.partial_d_turned < partial_d",
    "duplicate t_unique.unique_a_plain < unique_a",
    "duplicate t_unique.unique_twice < unique_a",
    "duplicate t_constraint.constraint_plain < t_constraint_a_key",
    "redundant t_chain.chain_a < chain_a_b_c",
    "redundant t_class.class_n < class_n_a",
    "redundant t_chain.chain_a_b < chain_a_b_c",
    "redundant t_expression.expression_lower < expression_lower_a",
    "redundant t_include.include_b < include_b_y",
    "redundant t_nulls.nulls_a_not_null < nulls_a_b",
    "redundant t_include.include_a_x < include_a_x_key",
    "redundant t_partial.partial_b_not_null < partial_b",
    "redundant t_partition.partition_a < partition_a_b",
    "redundant t_partition_2.partition_2_own_b < partition_2_b_a",
    "redundant t_prefix.prefix_a < prefix_a_b",
    "redundant Mixed \"Case.Index \"one < Index two",
  ]

  /// What looks redundant and is to be kept, each with a code of a reason.
  static let kept: Set<String> = [
    "t_clustered.clustered_a clustered",
    "t_invalid.invalid_a survivor_invalid",
    "t_partial.partial_a partial_filters",
    "t_nulls.nulls_b_not_null partial_filters",
    "t_replica.replica_a enforces_uniqueness replica_identity",
    "t_unique.unique_b enforces_uniqueness",
    "t_referenced.referenced_a enforces_uniqueness backs_foreign_key",
  ]

  static let schema = """
    create table t_prefix (a int, b int);
    create index prefix_a on t_prefix (a);
    create index prefix_a_b on t_prefix (a, b);

    -- As text, "1" begins "10 2".
    create table t_number (c1 int, c2 int, c3 int, c4 int, c5 int, c6 int, c7 int, c8 int, c9 int, c10 int);
    create index number_1 on t_number (c1);
    create index number_10_2 on t_number (c10, c2);

    create table t_expression (e text, a int);
    create index expression_lower on t_expression (lower(e));
    create index expression_lower_a on t_expression (lower(e), a);
    create index expression_upper_a on t_expression (upper(e), a);
    create index expression_e on t_expression (e);

    create table t_class (s text, a int, v varchar(20), n inet);
    create index class_s on t_class (s);
    create index class_s_pattern on t_class (s text_pattern_ops, a);
    create index class_s_c on t_class (s collate "C", a);
    -- Other names of text_ops and inet_ops.
    create index class_v on t_class (v);
    create index class_v_renamed on t_class (v varchar_ops);
    create index class_v_hash on t_class using hash (v varchar_ops);
    create index class_n on t_class (n cidr_ops);
    create index class_n_a on t_class (n, a);

    create table t_desc (a int, b int);
    create index desc_a on t_desc (a);
    create index desc_a_desc on t_desc (a desc);
    create index desc_a_nulls_first on t_desc (a nulls first);
    create index desc_a_b_desc on t_desc (a nulls first, b desc nulls last);
    create index desc_a_b_desc_mirror on t_desc (a desc nulls last, b nulls first);
    drop index desc_a_nulls_first;
    create index desc_a_b on t_desc (b, a);
    create index desc_a_b_one_turned on t_desc (b, a desc);

    create table t_include (a int, b int, c int, x int, y int);
    create index include_a_x on t_include (a) include (x);
    create index include_a_x_key on t_include (a, x);
    create index include_b on t_include (b);
    create index include_b_y on t_include (b) include (y);
    create index include_c_x on t_include (c) include (x);
    create index include_c_y on t_include (c) include (y);

    create table t_partial (a int, b int, c int, d int, e int, f int, status varchar(10));
    create index partial_a on t_partial (a) where status = 'open';
    create index partial_a_whole on t_partial (a);
    create index partial_b_not_null on t_partial (b) where b is not null;
    create index partial_b on t_partial (b);
    create index partial_c on t_partial (c) where status in ('open', 'late');
    create index partial_c_again on t_partial (c) where status in ('late', 'open');
    create index partial_d on t_partial (d) where status = 'open' and e > 5;
    create index partial_d_turned on t_partial (d) where e > 5 and status = 'open';
    create index partial_e on t_partial (e) where f = 1;
    create index partial_e_other on t_partial (e) where f = 2;

    create table t_nulls (a int, b int);
    create index nulls_a_b on t_nulls (a, b);
    create index nulls_a_not_null on t_nulls (a, b) where a is not null;
    create index nulls_b_not_null on t_nulls (a, b) where b is not null;

    create table t_unique (a int, b int, c int);
    create unique index unique_a on t_unique (a);
    create index unique_a_plain on t_unique (a);
    create unique index unique_twice on t_unique (a);
    create unique index unique_b on t_unique (b);
    create index unique_b_c on t_unique (b, c);

    create table t_constraint (a int unique deferrable initially deferred);
    create index constraint_plain on t_constraint (a);

    create table t_exclusion (a int, exclude using btree (a with =));
    create index exclusion_plain on t_exclusion (a);

    create table t_replica (a int not null, b int);
    create unique index replica_a on t_replica (a);
    create index replica_a_b on t_replica (a, b);
    alter table t_replica replica identity using index replica_a;

    create table t_clustered (a int, b int);
    create index clustered_a on t_clustered (a);
    create index clustered_a_b on t_clustered (a, b);
    cluster t_clustered using clustered_a;

    create table t_referenced (a int, b int);
    create unique index referenced_a on t_referenced (a);
    create index referenced_a_b on t_referenced (a, b);
    create table t_refers (a int references t_referenced (a));

    create table t_partition (a int, b int) partition by range (a);
    create table t_partition_1 partition of t_partition for values from (0) to (10);
    create table t_partition_2 partition of t_partition for values from (10) to (20) partition by range (b);
    create table t_partition_2_1 partition of t_partition_2 for values from (0) to (10);
    create index partition_a on t_partition (a);
    create index partition_a_b on t_partition (a, b);
    create index partition_2_own_b on t_partition_2 (b);
    create index partition_2_b_a on t_partition_2 (b, a);

    create table t_parent (a int);
    create table t_child () inherits (t_parent);
    create index parent_a on t_parent (a);
    create index child_a on t_child (a);

    create table t_hash (a int);
    create index hash_1 on t_hash using hash (a);
    create index hash_2 on t_hash using hash (a);
    create index hash_btree on t_hash (a);

    create table t_gin (x int[], y int[], j jsonb);
    create index gin_x_y on t_gin using gin (x, y);
    create index gin_y_x on t_gin using gin (y, x);
    create index gin_j on t_gin using gin (j);
    create index gin_j_path on t_gin using gin (j jsonb_path_ops);
    create index gin_x on t_gin using gin (x);

    create table t_gist (r int4range, s int4range);
    create index gist_1 on t_gist using gist (r);
    create index gist_2 on t_gist using gist (r);
    create index gist_r_s on t_gist using gist (r, s);

    create table t_brin (a int);
    create index brin_1 on t_brin using brin (a);
    create index brin_2 on t_brin using brin (a) with (pages_per_range = 4);

    create table t_chain (a int, b int, c int);
    create index chain_a on t_chain (a);
    create index chain_a_b on t_chain (a, b);
    create index chain_a_b_c on t_chain (a, b, c);

    create table t_equal (a int);
    create index equal_1 on t_equal (a);
    create index equal_2 on t_equal (a);
    create index equal_3 on t_equal (a) with (fillfactor = 50);

    create table t_invalid (a int, b int);
    create index invalid_a on t_invalid (a);
    create index invalid_a_b on t_invalid (a, b);
    update pg_index set indisvalid = false where indexrelid = 'invalid_a_b'::regclass;

    create schema "Mixed ""Schema";
    create table "Mixed ""Schema"."Mixed ""Case" ("Col 'A" int, "select" int);
    create index "Index ""one" on "Mixed ""Schema"."Mixed ""Case" ("Col 'A") where "Col 'A" is not null;
    create index "Index two" on "Mixed ""Schema"."Mixed ""Case" ("Col 'A", "select" desc);
    comment on index "Mixed ""Schema"."Index ""one" is E'it''s\\\\ here';
    """
}

/// Reads the catalog of a database over a session of its own.
func readCatalog(
  _ url: String, bloatBytes: Int64 = Thresholds().bloatWasteBytes
) async throws -> Catalog {
  let connection = try await Connection.connect(to: ConnectionString(url))
  let result: Result<Catalog, any Error>
  do {
    result = .success(try await connection.withSession { try CatalogReader($0).read(bloatBytes: bloatBytes) })
  } catch {
    result = .failure(error)
  }
  await connection.close()
  return try result.get()
}

extension Catalog {
  /// As if usage had been counted, and everything been there, for long enough to be believed.
  var trusted: Catalog {
    var facts = facts
    facts.since = Timestamp(microseconds: facts.now.microseconds - 100 * 86_400 * 1_000_000)
    let since = facts.since
    let old = indexes.values.map { index in
      var index = index
      index.madeAt = since
      return index
    }
    return Catalog(tables: Array(tables.values), indexes: old, foreignKeys: foreignKeys, facts: facts)
  }
}
