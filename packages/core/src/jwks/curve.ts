/** A curve of RFC 7518 §6.2.1.1: y² = x³ - 3x + b modulo p, with a prime number of points (NIST SP 800-186 §3.2.1). */
export interface Curve {
  /** Octets of a coordinate. */
  readonly octets: number
  readonly p: bigint
  readonly b: bigint
}

const curves: ReadonlyMap<unknown, Curve> = new Map([
  [
    'P-256',
    {
      octets: 32,
      p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
      b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
    },
  ],
  [
    'P-384',
    {
      octets: 48,
      p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
      b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
    },
  ],
  [
    'P-521',
    {
      octets: 66,
      p: 2n ** 521n - 1n,
      b: 0x51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
    },
  ],
])

/** The curve with this `crv`; `undefined` for any other value. */
export function curveOf(crv: unknown): Curve | undefined {
  return curves.get(crv)
}

/**
 * True where the coordinates, big-endian, are those of a public key on the curve (NIST SP 800-56A §5.6.2.3.4).
 *
 * `createPublicKey` checks the same, but takes 80 µs for a P-256 key and 1 ms for a P-521 key: for a set of 1 000 keys it
 * would block the event loop for up to a second. This takes 10 µs.
 */
export function isOnCurve({ p, b }: Curve, xOctets: Buffer, yOctets: Buffer): boolean {
  const [x, y] = [integerOf(xOctets), integerOf(yOctets)]
  return x < p && y < p && (y * y - (x * x * x - 3n * x + b)) % p === 0n
}

function integerOf(octets: Buffer): bigint {
  return BigInt(`0x0${octets.toString('hex')}`)
}
