import { readFileSync } from 'node:fs'

/** The command of the README that creates a user, as words, with a password. */
export function aclFromReadme(password: string): readonly string[] {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const line = /^ACL SETUSER .*$/m.exec(readme)?.[0]
  if (line === undefined) throw new Error('the README has no ACL')
  return line.replace('>SECRET', `>${password}`).split(' ')
}
