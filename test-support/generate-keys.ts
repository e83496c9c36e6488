import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyPairKeyObjectResult,
  type KeyPairSyncResult,
} from 'node:crypto'

const publicKeyEncoding = { type: 'spki', format: 'der' } as const
const privateKeyEncoding = { type: 'pkcs8', format: 'der' } as const

/**
 * Generates a key pair that can be exported. On Node 20, exporting what `generateKeyPairSync` returns can wait for ever:
 * it holds the pair's lock, and if the generation is garbage-collected meanwhile, that takes the same lock. So these keys
 * are imported anew.
 */
export function generateKeys(type: 'ed25519'): KeyPairKeyObjectResult
export function generateKeys(type: 'rsa', options: { readonly modulusLength: number }): KeyPairKeyObjectResult
export function generateKeys(type: 'ec', options: { readonly namedCurve: string }): KeyPairKeyObjectResult
export function generateKeys(
  type: 'rsa' | 'ec' | 'ed25519',
  { modulusLength = 0, namedCurve = '' }: { readonly modulusLength?: number; readonly namedCurve?: string } = {},
): KeyPairKeyObjectResult {
  const { publicKey, privateKey } = encodedKeys(type, modulusLength, namedCurve)
  return {
    publicKey: createPublicKey({ key: publicKey, ...publicKeyEncoding }),
    privateKey: createPrivateKey({ key: privateKey, ...privateKeyEncoding }),
  }
}

function encodedKeys(
  type: 'rsa' | 'ec' | 'ed25519',
  modulusLength: number,
  namedCurve: string,
): KeyPairSyncResult<Buffer, Buffer> {
  if (type === 'rsa') return generateKeyPairSync(type, { modulusLength, publicKeyEncoding, privateKeyEncoding })
  if (type === 'ec') return generateKeyPairSync(type, { namedCurve, publicKeyEncoding, privateKeyEncoding })
  return generateKeyPairSync(type, { publicKeyEncoding, privateKeyEncoding })
}
