/** Waits for a condition that is checked every ten milliseconds; an error counts as false. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  within = 15_000,
): Promise<void> {
  const deadline = Date.now() + within
  let error: unknown
  while (Date.now() < deadline) {
    try {
      if (await condition()) return
    } catch (thrown) {
      error = thrown
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`not within ${within} ms: ${what}`, { cause: error })
}
