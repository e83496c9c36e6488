import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

declare global {
  // Playwright's types name these of the DOM, which is no part of Node; nothing here uses them.
  interface Node {}
  interface HTMLElement {}
  interface SVGElement {}
  interface HTMLElementTagNameMap {}
}

/** Where Debian, Fedora and macOS have it; `CHROMIUM_PATH` names another place. */
const places = [
  process.env['CHROMIUM_PATH'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

const found = places.find((place) => place !== undefined && existsSync(place))

/** Whether tests with a browser run. Where it is required they do even if it is missing, and fail. */
export const chromiumAvailable: boolean = process.env['CHROMIUM_REQUIRED'] === '1' || found !== undefined

/** Starts a headless Chromium. */
export function startChromium(): Promise<Browser> {
  if (found === undefined) throw new Error('there is no Chromium; install the package chromium')
  return chromium.launch({
    executablePath: found,
    // Tests may run as root, and in a container without much shared memory.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--no-first-run',
    ],
    // The process of the tests has its own handlers, which must stay as they are.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  })
}
