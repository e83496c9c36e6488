#!/usr/bin/env node
import { run } from './run.ts'

const code = await run(process.argv.slice(2), process)
// A configuration of `explain` may hold connections open. Written last, so that everything before it is out.
process.stdout.write('', () => process.exit(code))
