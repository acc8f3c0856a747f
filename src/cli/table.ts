/**
 * Rows as aligned plain text: columns two blanks apart, numbers to the right, no blanks at the end of a line.
 */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const lines = [head, ...rows.map((row) => row.map(String))]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column].length)))
  const isNumber = head.map(
    (_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'),
  )
  const pad = (cell: string, column: number): string =>
    isNumber[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column])
  return lines.map((line) => `  ${line.map(pad).join('  ').trimEnd()}\n`).join('')
}
