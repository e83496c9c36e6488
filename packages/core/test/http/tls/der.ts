/** A value in DER (X.690 §8.1, §10): its tag, its length in the fewest bytes, and what is in it. */
export function der(tag: number, ...parts: readonly (Buffer | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content])
  if (length < 0x100) return Buffer.concat([Buffer.from([tag, 0x81, length]), content])
  return Buffer.concat([Buffer.from([tag, 0x82, length >> 8, length & 0xff]), content])
}

export const tags = Object.freeze({
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  sequence: 0x30,
  set: 0x31,
  /** `[n]`, around other values. */
  constructed: (n: number): number => 0xa0 + n,
  /** `[n]`, in the place of another tag. */
  primitive: (n: number): number => 0x80 + n,
})

export function sequence(...parts: readonly Buffer[]): Buffer {
  return der(tags.sequence, ...parts)
}

/** An object identifier, given by its bytes. */
export function objectIdentifier(...bytes: readonly number[]): Buffer {
  return der(tags.objectIdentifier, Buffer.from(bytes))
}
