import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { chromiumAvailable, startChromium } from './chromium.ts'
import { type PageWorld, startPageWorld } from './page-world.ts'
import { failing, healthy, stale, thousand } from './scenes.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const images = fileURLToPath(new URL('../../docs/images/', import.meta.url))
/** `UPDATE_IMAGES=1` writes the pictures of the documentation again. */
const updatesImages = process.env['UPDATE_IMAGES'] === '1'

/** Those that are worth their bytes. */
const pictured: ReadonlySet<string> = new Set(['healthy', 'stale', 'failing', 'thousand', 'failing-phone'])

const wide: BrowserContextOptions = { viewport: { width: 1000, height: 1080 }, colorScheme: 'light' }
const phone: BrowserContextOptions = { viewport: { width: 375, height: 812 }, colorScheme: 'dark' }

describe.skipIf(!chromiumAvailable)('the status page in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startChromium()
  })
  afterAll(() => browser.close())

  let world: PageWorld
  /** What the browser complained about: violations of the policy, errors of the script. */
  let complaints: string[]
  beforeEach(async () => {
    world = await startPageWorld()
    complaints = []
  })
  afterEach(() => world.close())

  async function open(options: BrowserContextOptions = wide, query = ''): Promise<Page> {
    const context = await browser.newContext(options)
    onTestFinished(() => context.close())
    const page = await context.newPage()
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('pageerror', ({ message }) => complaints.push(message))
    const response = await page.goto(world.url + query)
    expect(response?.status()).toBe(200)
    return page
  }

  /** The rules of WCAG 2.2 AA and axe's best practices that a page breaks. Its policy admits no other script, so axe comes in by the debugger. */
  async function axeViolations(page: Page): Promise<readonly string[]> {
    await page.evaluate(axe)
    const { violations } = await page.evaluate<AxeResults>('axe.run()')
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
  }

  const scenes = [
    ['healthy', healthy, 'Nothing is wrong: all 3 providers in use serve. No request was refused in the last 15 min.'],
    [
      'stale',
      stale,
      'It is the tokens, if anything: we and the providers are fine. 142 requests were refused in the last 15 min, most because the token has expired.',
    ],
    [
      'failing',
      failing,
      'It is the provider, or the way to it: initech/keycloak cannot be reached, and one more provider fails, too. For 1 of them no usable keys are left: requests get 503.',
    ],
    [
      'thousand',
      thousand,
      'It is the provider, or the way to it: acme/okta cannot be reached, and 2 more providers fail, too. No request is affected yet: cached keys serve for another 1 h 5 min.',
    ],
  ] as const

  const screens = [
    ['wide', wide],
    ['phone', phone],
  ] as const
  const pictures = scenes.flatMap(([name, scene, summary]) =>
    screens.map(([screen, options]) => ({ name, scene, summary, screen, options })),
  )

  it.each(pictures)(
    'answers the question accessibly: $name, $screen',
    async ({ name, scene, summary, screen, options }) => {
      await scene(world)
      const page = await open(options)
      expect(await page.locator('h1').textContent()).toBe(summary)
      const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
      expect(overflow, 'scrolls sideways').toBeLessThanOrEqual(0)
      const picture = screen === 'wide' ? name : `${name}-${screen}`
      if (pictured.has(picture) && updatesImages) await page.screenshot({ path: `${images}status-${picture}.png` })
      expect(await axeViolations(page)).toEqual([])
      // Every pair of colours, also in the other scheme.
      await page.emulateMedia({ colorScheme: screen === 'wide' ? 'dark' : 'light' })
      await page.evaluate('for (const each of document.querySelectorAll("details")) each.open = true')
      expect(await axeViolations(page), 'in the other scheme').toEqual([])
      expect(complaints).toEqual([])
    },
  )

  it('shows the same with scripts blocked, and its filters, pages and button work', async () => {
    await failing(world)
    const page = await open({ ...wide, javaScriptEnabled: false })
    expect(await page.locator('h1').textContent()).toContain('initech/keycloak cannot be reached')
    expect(await page.locator('.card h3').allInnerTexts()).toEqual(['initech/keycloak', 'globex/okta', 'acme/auth0'])
    expect(await page.locator('#live').textContent()).toBe('Reload the page for a newer state')
    expect(await page.locator('#pause').isVisible()).toBe(false)
    expect(await page.locator('.card svg.line line.now').count()).toBe(2)

    await page.getByRole('link', { name: /^Failing/ }).click()
    expect(await page.locator('.card h3').allInnerTexts()).toEqual(['globex/okta'])
    await page.getByRole('link', { name: /^All/ }).click()
    await page.getByRole('searchbox').fill('ACME')
    await page.getByRole('button', { name: 'Search' }).click()
    expect(await page.locator('.card h3').allInnerTexts()).toEqual(['acme/auth0'])

    const before = world.registry.status('acme', 'auth0').metrics.refreshes
    await page.locator('summary').click()
    await page.getByRole('button', { name: 'Fetch keys now for acme/auth0' }).click()
    await page.waitForURL(world.url)
    expect(world.registry.status('acme', 'auth0').metrics.refreshes).toBe(before + 1)
    expect(complaints).toEqual([])
  })

  it('shows names of keys that look like markup as text', async () => {
    const hostile = [
      '<img src=x onerror="document.title=\'owned\'">',
      '"><script>document.title="owned"</script>',
      '\u202eevil',
      '&amp;',
    ]
    const issuer = await world.startIssuer('plain')
    for (const kid of hostile) await issuer.addKey({ kid })
    await issuer.addKey({ kid: 'x'.repeat(5_000) })
    await world.add('acme/auth0', issuer)
    world.refuse(1, {
      tenant: '<b>',
      provider: '</li>',
      code: '<script>document.title="owned"</script>' as never,
      status: 401,
    })
    const page = await open()
    await page.locator('summary').click()
    const shown = await page.locator('.more section').first().locator('.kid').allInnerTexts()
    expect(shown).toEqual(['plain', hostile[0], hostile[1], '\ufffdevil', '&amp;', `${'x'.repeat(80)}…`])
    expect(await page.locator('.refusals code').textContent()).toBe('401 <script>document.title="owned"</script>')
    // The page's own script and nothing else.
    expect([await page.locator('script').count(), await page.locator('img').count()]).toEqual([1, 0])
    expect(await page.title()).not.toContain('owned')
    expect(await axeViolations(page)).toEqual([])
    expect(complaints).toEqual([])
  })

  it('updates itself, keeps open what is open and the focus where it is', async () => {
    await healthy(world)
    const page = await open()
    await page.clock.install()
    await page.reload()
    const card = page.locator('[id="provider/globex/okta"]')
    await card.locator('summary').click()
    await card.getByRole('button').focus()
    expect(await page.title()).toBe('All well · jwks-auth')
    world.refuse(4, { tenant: 'globex', provider: 'okta', code: 'ERR_TOKEN_EXPIRED', status: 401 })
    await page.clock.runFor(5_000)
    await page.getByText('It is the tokens, if anything').waitFor()
    expect(await page.title()).toBe('Tokens refused · jwks-auth')
    expect(await page.locator('.answer').getAttribute('class')).toBe('answer info')
    await card.getByText('4 the token has expired').waitFor()
    expect(await page.evaluate('document.activeElement.id')).toBe('refresh/globex/okta')
    expect(complaints).toEqual([])
  })

  it('requests nothing while it is paused or hidden, and says when it cannot be updated', async () => {
    await healthy(world)
    const page = await open()
    await page.clock.install()
    await page.reload()
    let requests = 0
    page.on('request', () => {
      requests += 1
    })
    await page.getByRole('button', { name: 'Pause' }).click()
    expect(await page.locator('#live').textContent()).toBe('Paused')
    await page.clock.runFor(60_000)
    expect(requests).toBe(0)
    const resumed = page.waitForResponse(world.url)
    await page.getByRole('button', { name: 'Resume' }).click()
    await resumed
    await page.getByText('Live', { exact: true }).waitFor()

    requests = 0
    await setHidden(page, true)
    await page.clock.runFor(60_000)
    expect(requests).toBe(0)
    world.forbid()
    await setHidden(page, false)
    await page.clock.runFor(10)
    await page.getByText('Not updated: status 403').waitFor()
    expect(await page.locator('h1').textContent()).toContain('Nothing is wrong')
  })

  it('is used by keyboard: skip link, filters, details, refresh', async () => {
    await healthy(world)
    const page = await open()
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the providers')
    await page.keyboard.press('Enter')
    expect(await page.evaluate('document.activeElement.id')).toBe('providers')
    const visited: string[] = []
    for (let count = 0; count < 30 && !visited.includes('summary/acme/auth0'); count += 1) {
      await page.keyboard.press('Tab')
      visited.push(await page.evaluate<string>('document.activeElement.id'))
      const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')
      expect(outline, visited.at(-1)).not.toBe('none')
    }
    expect(visited.slice(0, 4)).toEqual(['chip/all', 'chip/unused', 'chip/fresh', 'search'])
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByText('acme/auth0: fetched, the keys are unchanged.').waitFor({ state: 'attached' })
    expect(world.registry.status('acme', 'auth0').metrics.refreshes).toBe(2)
    expect(complaints).toEqual([])
  })

  it('announces the answer and results to screen readers, and names everything', async () => {
    await failing(world)
    const page = await open()
    expect(
      await page
        .getByRole('status')
        .filter({ has: page.getByRole('heading', { level: 1 }) })
        .count(),
    ).toBe(1)
    expect(await page.getByRole('article', { name: 'globex/okta' }).getByText('Failing', { exact: true }).count()).toBe(
      1,
    )
    expect(await page.getByRole('navigation', { name: 'Providers by condition' }).getByRole('link').count()).toBe(4)
    expect(await page.getByRole('heading', { level: 3 }).allInnerTexts()).toHaveLength(3)
  })

  it('shows a thousand providers in pages of fifty', async () => {
    await thousand(world)
    const page = await open()
    expect(await page.locator('.card').count()).toBe(50)
    expect(await page.locator('.pages').textContent()).toContain('1 to 50 of 1000')
    await page.getByRole('link', { name: 'Next' }).click()
    expect(await page.locator('.pages').textContent()).toContain('51 to 100 of 1000')
    const size = await page.evaluate(
      "fetch(location.href, { headers: { accept: 'text/html' } }).then((page) => page.text()).then((text) => text.length)",
    )
    expect(size).toBeLessThan(400_000)
    expect(complaints).toEqual([])
  })
})

/** Makes the page believe that it is in another tab, or that it is not. */
async function setHidden(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate(`Object.defineProperty(document, 'hidden', { configurable: true, value: ${isHidden} })`)
  await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
}

interface AxeResults {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[]
}
