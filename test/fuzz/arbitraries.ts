import fc from 'fast-check'

/** Any bytes, as Node hands a header over: one character for each byte. */
export function latin1(maxLength: number): fc.Arbitrary<string> {
  return fc.uint8Array({ maxLength, size: 'max' }).map((bytes) => Buffer.from(bytes).toString('latin1'))
}

/** Bytes that HTTP lets into a header's value (RFC 9110 §5.5), without line breaks and other controls. */
export function headerValue(maxLength: number): fc.Arbitrary<string> {
  const byte = fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f)
  return fc.array(byte, { maxLength, size: 'max' }).map((bytes) => Buffer.from(bytes).toString('latin1'))
}

/** Something of one list, perhaps with other things around it. */
export function fragments(words: readonly string[], noise: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const part = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...words) }, noise)
  return fc.array(part, { maxLength: 8 }).map((parts) => parts.join(''))
}

/** Any JSON value, and some that only text can say. */
export const jsonText: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.json({ maxDepth: 3 }) },
  fc.constantFrom('1e999', '-0', '"\\ud800"', '{"a":1,"a":1}', '[', '{"__proto__":{"a":1}}', '\ufeff{}', 'NaN'),
  fc.integer({ min: 1, max: 20_000 }).map((depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`),
)

/** An object's text, with members from a list: each is one of the values that belong there, or anything. */
export function objectText(members: Readonly<Record<string, readonly unknown[]>>): fc.Arbitrary<string> {
  const member = fc.constantFrom(...Object.keys(members)).chain((name) => {
    const own = fc.constantFrom(...(members[name] ?? [])).map((value) => JSON.stringify(value))
    return fc.oneof({ weight: 5, arbitrary: own }, jsonText).map((text) => `${JSON.stringify(name)}:${text}`)
  })
  return fc.array(member, { maxLength: 8 }).map((texts) => `{${texts.join(',')}}`)
}
