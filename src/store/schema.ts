/**
 * The tables, their version, and the way from each older version to this one.
 *
 * `parcels` holds bytes once; `queue` says which exporters still want them; `shared` counts the holders of a parcel
 * that has several (queues and dead letters), so that the common parcel with one holder costs no row. `accounts`
 * counts what has left the queues; what is in them is counted from `queue` itself, so both always agree. `quarantine`
 * has a row for each held parcel, `quarantine_content` its bytes; their ids and those of parcels are one row of numbers.
 * `journal` has one row: the last segment of the journal whose records are all in these tables, and the largest id that
 * they knew of. A new table is a new entry of MIGRATIONS: entries are never changed once released.
 */
import type { DatabaseSync } from 'node:sqlite'

const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE exporters (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE parcels (
    id INTEGER PRIMARY KEY,
    signal TEXT NOT NULL,
    lane TEXT NOT NULL,
    items INTEGER NOT NULL,
    policy TEXT NOT NULL,
    admitted_ms INTEGER NOT NULL,
    is_shared INTEGER NOT NULL,
    bytes BLOB NOT NULL
  );
  CREATE TABLE shared (parcel INTEGER PRIMARY KEY, holders INTEGER NOT NULL);
  CREATE TABLE queue (
    exporter INTEGER NOT NULL,
    parcel INTEGER NOT NULL,
    items INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (exporter, parcel)
  ) WITHOUT ROWID;
  CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    exporter INTEGER NOT NULL,
    parcel INTEGER NOT NULL,
    items INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    status INTEGER NOT NULL,
    message TEXT NOT NULL,
    died_ms INTEGER NOT NULL
  );
  CREATE TABLE accounts (
    exporter INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    items INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (exporter, outcome)
  ) WITHOUT ROWID;
  `,
  `
  CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    target TEXT NOT NULL,
    carriage TEXT NOT NULL,
    family TEXT NOT NULL,
    reason TEXT NOT NULL,
    items INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    admitted_ms INTEGER NOT NULL
  );
  CREATE INDEX quarantine_by_target ON quarantine (target, carriage, id);
  CREATE TABLE quarantine_content (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
  `,
  `
  CREATE TABLE journal (folded_through INTEGER NOT NULL, last_id INTEGER NOT NULL);
  INSERT INTO journal VALUES (0, 0);
  `,
]

const TABLES = [
  ...['exporters', 'parcels', 'shared', 'queue', 'dead_letters', 'accounts'],
  ...['quarantine', 'quarantine_content', 'journal'],
] as const

export const SCHEMA_VERSION: number = MIGRATIONS.length

/** False for a file that says that it has this version and does not have its tables. */
export function hasTables(database: DatabaseSync): boolean {
  const names = TABLES.map((name) => `'${name}'`).join()
  const row = database.prepare(`SELECT count(*) AS count FROM sqlite_schema WHERE name IN (${names})`).get()
  return row?.count === TABLES.length
}

/** Brings the tables to this version, in one transaction. False: a newer program made them. */
export function migrate(database: DatabaseSync): boolean {
  const version = Number(database.prepare('PRAGMA user_version').get()?.user_version)
  if (version > SCHEMA_VERSION) return false
  if (version === SCHEMA_VERSION) return true
  database.exec('BEGIN IMMEDIATE')
  for (const migration of MIGRATIONS.slice(version)) database.exec(migration)
  database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`)
  return true
}
