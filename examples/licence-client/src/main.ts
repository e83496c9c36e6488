import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createLicences } from './licences.ts'

const [file] = process.argv.slice(2)
if (file === undefined) throw new Error('usage: node dist/main.js LICENCE_FILE')

const licences = createLicences({ publicKeyPath: join(homedir(), '.drawing-app', 'keys') })
const result = await licences.verify((await readFile(file, 'utf8')).trim())
if (result.ok) {
  const { customer, features, validUntil } = result.licence
  console.log(`licensed to ${customer} until ${validUntil.toISOString()}: ${[...features].join(', ')}`)
} else {
  console.error(`the licence is ${result.reason}`)
  process.exitCode = 1
}
await licences.close()
