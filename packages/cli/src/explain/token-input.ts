import { UsageError } from '../terminal/exit-codes.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Bytes: more than any server accepts in a header. */
const MAX_BYTES = 1_048_576

/**
 * Reads a token from standard input: the token alone, or with `Bearer`, or a whole `Authorization` header.
 *
 * @throws UsageError where there is none
 */
export async function readToken({ stdin, stderr }: Terminal): Promise<string> {
  if (stdin.isTTY === true) stderr.write('Paste the token, then press Enter and Ctrl-D.\n')
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk)
    size += bytes.length
    if (size > MAX_BYTES) throw new UsageError('Standard input has more than 1 MiB: this is no token')
    chunks.push(bytes)
  }
  const text = Buffer.concat(chunks).toString('utf8').trim()
  const token = text
    .replace(/^authorization:\s*/i, '')
    .replace(/^bearer(?:\s+|$)/i, '')
    .trim()
  if (token === '') throw new UsageError('There is no token on standard input: jwks-auth explain … < token.txt')
  return token
}
