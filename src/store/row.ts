/**
 * Values of a row, by the type that the schema gives them. A value of another type means a damaged file.
 */
import type { SQLOutputValue } from 'node:sqlite'
import { StorageError } from '../errors.ts'

export type Row = Readonly<Record<string, SQLOutputValue>>

export function numberAt(row: Row | undefined, column: string): number {
  const value = row?.[column]
  if (typeof value !== 'number') throw wrongType(column)
  return value
}

export function textAt(row: Row, column: string): string {
  const value = row[column]
  if (typeof value !== 'string') throw wrongType(column)
  return value
}

/** Memory of its own, which may be transferred to another thread. */
export function bytesAt(row: Row, column: string): Uint8Array<ArrayBuffer> {
  const value = row[column]
  if (!(value instanceof Uint8Array)) throw wrongType(column)
  return value
}

function wrongType(column: string): StorageError {
  return new StorageError('corrupt', `a value of column ${column} is of the wrong type`)
}
