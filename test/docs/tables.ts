/** The tables of a Markdown page, each with the section that it stands in and the lines of its rows. */

export interface Row {
  readonly line: number
  readonly cells: readonly string[]
}

export interface Table {
  /** Title of the last `##` above it. */
  readonly section: string
  readonly rows: readonly Row[]
}

export function readTables(page: string): readonly Table[] {
  const tables: { section: string; rows: Row[] }[] = []
  let section = ''
  let isInTable = false
  page.split('\n').forEach((text, index) => {
    const isRow = text.startsWith('|')
    if (text.startsWith('## ')) section = text.slice(3)
    if (isRow && !isInTable) tables.push({ section, rows: [] })
    const isHead = isRow && !isInTable
    isInTable = isRow
    if (!isRow || isHead || /^\|[-| ]+\|$/.test(text)) return
    const cells = text.slice(1, -1).split('|')
    tables.at(-1)?.rows.push({ line: index + 1, cells: cells.map((cell) => cell.trim()) })
  })
  return tables
}
