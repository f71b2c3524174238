// Runs the statements of a file in DuckDB, and prints the rows of each SELECT as a
// line of JSON.
import { DuckDBInstance } from '@duckdb/node-api'
import { readFileSync } from 'node:fs'

const connection = await (await DuckDBInstance.create(':memory:', { autoinstall_known_extensions: 'false', autoload_known_extensions: 'false' })).connect()
for (const statement of readFileSync(0, 'utf8').split(/;\s*\n/)) {
  if (statement.trim() === '') continue
  const rows = (await connection.runAndReadAll(statement)).getRowObjectsJson()
  if (/^\s*(--.*\n\s*)*(WITH|SELECT)/.test(statement)) console.log(JSON.stringify(rows))
}
