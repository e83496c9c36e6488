/**
 * Runs one section in a process of its own, so that what one section taught the compiler or left on the heap is
 * nothing to the next. Told by its arguments, answers with the result as a message.
 */
const [name = '', ...flags] = process.argv.slice(2)
const log = (/** @type {string} */ line) => console.error(`  ${line}`)

/** @type {import('../harness/result.mjs').Section} */
const section = await import(new URL(`../sections/${name}.mjs`, import.meta.url).href)
const result = await section.run({ quick: flags.includes('quick'), allDistinct: flags.includes('all-distinct'), log })
process.send?.(result, () => process.disconnect?.())
