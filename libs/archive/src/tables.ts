import { escapeIdentifier, escapeLiteral } from 'pg';

/** Of the subjects of charges: an invoice is made of those of one tenant, which lie far apart. */
export const IS_CHARGE = `("subject" like 'evt.billing.account.%.TaskCharged'
  or "subject" like 'evt.billing.account.%.StorageCharged')`;

/**
 * The DDL of the archive; repeating it changes nothing. What is in it is never changed: a trigger refuses, so that a
 * mistake is an error. Whoever removes the trigger is found by the chain.
 */
export function tablesOf(schemaName: string): string {
  const schema = escapeIdentifier(schemaName);
  return `
    begin;
    select pg_advisory_xact_lock(hashtextextended(${escapeLiteral(`archive of ${schemaName}`)}, 0));
    create table if not exists ${schema}."archive_events" (
      "stream" text not null,
      "sequence" bigint not null check ("sequence" > 0),
      "subject" text not null,
      "headers" bytea not null,
      "payload" bytea not null,
      "recorded_at" bigint not null,
      "hash" bytea not null check (length("hash") = 32),
      primary key ("stream", "sequence")
    );
    create index if not exists "archive_all_charges" on ${schema}."archive_events" ("stream", "subject", "sequence")
      where ${IS_CHARGE};
    -- Has what tasks cost alone.
    drop index if exists ${schema}."archive_charges";
    comment on column ${schema}."archive_events"."recorded_at" is 'nanoseconds since 1970, by the stream''s clock';
    create table if not exists ${schema}."archive_heads" (
      "stream" text primary key,
      "sequence" bigint not null check ("sequence" >= 0),
      "hash" bytea not null check (length("hash") = 32),
      "moved_at" timestamptz not null default now()
    );
    create or replace function ${schema}."archive_is_append_only"() returns trigger language plpgsql as $$
      begin raise exception 'the archive is append-only'; end
    $$;
    create or replace trigger "append_only" before update or delete or truncate on ${schema}."archive_events"
      for each statement execute function ${schema}."archive_is_append_only"();
    commit;`;
}
