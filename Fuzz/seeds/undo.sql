-- IronForge undo file, version 1: makes again what `ironforge index prune` has dropped.
-- All of it: ironforge index restore FILE, and then with --execute.
-- By hand: each statement below through psql, outside a transaction.
-- database {"system":"7","name":"wallet"}
-- index {"schema":"public","name":"a","quoted":"public.a","table":"t","table_schema":"public","table_quoted":"public.t","definition":"CREATE INDEX a ON public.t USING btree (x)","tablespace":null,"predicate":null,"statistics":{"1":100},"comment":"c","clustered":true,"kind":"unused","noted_at":"2026-11-23T00:00:00.000000Z"}
CREATE INDEX CONCURRENTLY a ON public.t USING btree (x);
ALTER INDEX public.a ALTER COLUMN 1 SET STATISTICS 100;
COMMENT ON INDEX public.a IS 'c';
ALTER TABLE public.t CLUSTER ON "a";
