/** Markup in which every text was escaped when it was put in. */
export class Html {
  readonly markup: string

  constructor(markup: string) {
    this.markup = markup
  }
}

/** What may stand in a template: text and numbers are escaped, markup is not; `undefined` and `false` are left out. */
export type HtmlValue = string | number | Html | undefined | false | readonly HtmlValue[]

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Control characters, line separators, and what changes the direction of text (Unicode TR 36 §2.5): shown as U+FFFD. */
const INVISIBLE = /(?![\t\n])[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu

/** Makes markup of a template. Attributes must be quoted: then a value can leave neither an attribute nor a text. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(strings.map((text, index) => text + markupOf(values[index])).join(''))
}

/** Markup of this package, used as it is. Never for a text from elsewhere. */
export function trusted(markup: string): Html {
  return new Html(markup)
}

function markupOf(value: HtmlValue): string {
  if (value === undefined || value === false) return ''
  if (value instanceof Html) return value.markup
  if (typeof value === 'object') return value.map(markupOf).join('')
  return escapeText(String(value))
}

function escapeText(text: string): string {
  return text.replace(INVISIBLE, '\ufffd').replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}

/** The style sheet of the page. States differ in shape and text, too, not in colour alone. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --page: #f4f5f7; --card: #fff; --text: #15181e; --muted: #565e6c; --line: #d9dde3; --soft: #eceef2; --track: #e3e6eb;
  --fresh: #17784a; --stale: #8a5d00; --failing: #b04300; --unavailable: #c11f2d; --unused: #565e6c; --info: #0a5cad;
  --fresh-bar: #35a873; --stale-bar: #e3a92f;
  --focus: #0a5cad; --shadow: 0 1px 2px rgb(20 24 30 / 6%), 0 4px 16px rgb(20 24 30 / 5%);
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e1116; --card: #171b22; --text: #e9ebef; --muted: #a3abb8; --line: #2d333d; --soft: #20252e; --track: #2a303a;
    --fresh: #57cf98; --stale: #e6b84f; --failing: #f59556; --unavailable: #ff8a84; --unused: #a3abb8; --info: #7cbcff;
    --fresh-bar: #2f9e69; --stale-bar: #b98417;
    --focus: #7cbcff; --shadow: none;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 400 1rem/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
h1, h2, h3, p, dl, dd, ul, ol { margin: 0; padding: 0; }
ul, ol { list-style: none; }
a { color: var(--info); text-underline-offset: .15em; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
code, .kid { font-family: var(--mono); font-size: .875em; }
.wrap { max-width: 68rem; margin: 0 auto; padding-left: 1.25rem; padding-right: 1.25rem; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: .75rem; z-index: 1; padding: .5rem 1rem; background: var(--card); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.icon { flex: none; width: 1.125em; height: 1.125em; fill: currentColor; vertical-align: -.2em; }

.top { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; align-items: center; padding-top: 1rem; padding-bottom: 1rem; color: var(--muted); font-size: .875rem; }
.brand { color: var(--text); font-weight: 650; letter-spacing: -.01em; margin-right: auto; }
.brand span { color: var(--muted); font-weight: 400; }
.live-error { color: var(--unavailable); font-weight: 600; }
button { font: inherit; color: var(--text); background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .3rem .8rem; min-height: 2rem; cursor: pointer; }
button:hover { border-color: var(--muted); }
button[disabled] { opacity: .6; cursor: progress; }

.answer { background: var(--card); border-radius: 14px; box-shadow: var(--shadow); border: 1px solid var(--line); border-top: 5px solid var(--tone); overflow: hidden; }
.answer .say { padding: 1.4rem 1.5rem 1.25rem; display: grid; grid-template-columns: auto 1fr; gap: 0 .9rem; }
.answer .say > .icon { width: 2rem; height: 2rem; color: var(--tone); margin-top: .1rem; }
.answer h1 { font-size: clamp(1.2rem, .95rem + 1.2vw, 1.6rem); line-height: 1.3; font-weight: 620; letter-spacing: -.015em; text-wrap: pretty; }
.advice { grid-column: 2; margin-top: .5rem; color: var(--muted); max-width: 60ch; }
.findings { display: grid; grid-template-columns: repeat(3, 1fr); border-top: 1px solid var(--line); background: color-mix(in srgb, var(--soft) 45%, transparent); }
.findings > div { padding: .9rem 1.5rem 1rem; }
.findings > div + div { border-left: 1px solid var(--line); }
.findings dt { font-size: .8125rem; font-weight: 600; color: var(--muted); }
.findings dd { display: flex; gap: .5rem; font-size: .9375rem; line-height: 1.4; }
.findings .icon { color: var(--tone); margin-top: .1em; }
.ok, .fresh { --tone: var(--fresh); }
.info { --tone: var(--info); }
.stale { --tone: var(--stale); }
.warning, .failing { --tone: var(--failing); }
.critical, .unavailable { --tone: var(--unavailable); }
.unused { --tone: var(--unused); }

.section { margin-top: 2.25rem; }
.section h2 { font-size: 1.0625rem; font-weight: 640; letter-spacing: -.01em; margin-bottom: .75rem; }
.section h2 small { font-size: .875rem; font-weight: 400; color: var(--muted); }

.refusals { display: grid; gap: 1px; background: var(--line); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; }
.refusals li { background: var(--card); display: grid; grid-template-columns: 3.25rem 1fr auto; gap: .1rem 1rem; padding: .4rem 1.25rem; align-items: baseline; }
.refusals .count { font-weight: 640; font-size: 1.125rem; text-align: right; }
.refusals code { margin-left: .75rem; color: var(--muted); font-size: .8125rem; }
.refusals .when { color: var(--muted); font-size: .875rem; }

.tools { display: flex; flex-wrap: wrap; gap: .75rem; justify-content: space-between; align-items: center; margin-bottom: .9rem; }
.chips { display: flex; flex-wrap: wrap; gap: .4rem; }
.chips a { display: inline-flex; gap: .4rem; align-items: center; min-height: 2rem; padding: .2rem .75rem; border: 1px solid var(--line); border-radius: 99px; background: var(--card); color: var(--text); text-decoration: none; font-size: .875rem; }
.chips a:hover { border-color: var(--muted); }
.chips a[aria-current] { background: var(--text); border-color: var(--text); color: var(--page); font-weight: 600; }
.chips .icon { color: var(--tone); }
.chips a[aria-current] .icon { color: inherit; }
.chips b { font-weight: 640; }
.search { display: flex; gap: .4rem; }
.search button { flex: none; }
.search input { font: inherit; font-size: .9375rem; color: var(--text); background: var(--card); border: 1px solid var(--muted); border-radius: 8px; padding: .25rem .7rem; min-height: 2rem; width: 13rem; max-width: 100%; }

.providers { display: grid; gap: .75rem; }
.card { background: var(--card); border: 1px solid var(--line); border-left: 5px solid var(--tone); border-radius: 12px; padding: 1rem 1.25rem .35rem; }
.card .head { display: flex; flex-wrap: wrap; gap: .15rem .9rem; align-items: baseline; }
.card h3 { font-size: 1.0625rem; font-weight: 640; letter-spacing: -.01em; }
.card h3 .slash { color: var(--muted); font-weight: 400; padding: 0 .1em; }
.badge { display: inline-flex; align-items: center; gap: .35rem; color: var(--tone); font-size: .875rem; font-weight: 640; }
.card .facts { margin-left: auto; color: var(--muted); font-size: .875rem; }
.card .words { margin: .15rem 0 .6rem; max-width: 75ch; font-size: .9375rem; }
.card .words .muted { color: var(--muted); }

.line { display: block; margin-top: .6rem; overflow: visible; }
.line .track { fill: var(--track); }
.line .fresh { fill: var(--fresh-bar); }
.line .stale { fill: var(--stale-bar); }
.line .past { fill: var(--card); opacity: .55; }
.line .now { stroke: var(--text); stroke-width: 2; }
.line .now-text { fill: var(--text); font-size: .75rem; font-weight: 640; }
.mark { fill: var(--text); stroke: var(--card); stroke-width: 1.5; paint-order: stroke; }
.mark.fetched { fill: var(--fresh); }
.mark.unusable { fill: var(--unavailable); }
.moments { display: grid; grid-template-columns: repeat(4, 1fr); gap: .25rem 1rem; margin: .1rem 0 .6rem; font-size: .875rem; }
.moments dt { color: var(--muted); display: flex; align-items: center; gap: .3rem; }
.moments dd { padding-left: 1.3rem; line-height: 1.35; }
.moments time { color: var(--muted); white-space: nowrap; }

details { border-top: 1px solid var(--line); margin: 0 -1.25rem; padding: 0 1.25rem; }
summary { cursor: pointer; padding: .5rem 0; font-size: .875rem; color: var(--muted); width: fit-content; }
summary:hover { color: var(--text); }
.more { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(12.5rem, 100%), 1fr)); gap: 1rem 1.75rem; padding: .35rem 0 1rem; font-size: .875rem; }
.more h4 { margin: 0 0 .3rem; font-size: .8125rem; font-weight: 640; color: var(--muted); }
.more li { padding: .12rem 0; }
.more .muted { color: var(--muted); }
.pairs { display: grid; grid-template-columns: 1fr auto; gap: .12rem 1rem; }
.pairs dd { text-align: right; }
.actions { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: .4rem 1.25rem; align-items: center; }

.empty { background: var(--card); border: 1px dashed var(--line); border-radius: 12px; padding: 2rem 1.5rem; text-align: center; color: var(--muted); }
.pages { display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; margin-top: 1rem; font-size: .9375rem; }
.legend, .foot { color: var(--muted); font-size: .8125rem; }
.foot { margin: 2.5rem auto; }

@media (max-width: 44rem) {
  .wrap { padding-left: .8rem; padding-right: .8rem; }
  .answer .say { padding: 1.1rem 1rem; gap: 0 .7rem; }
  .answer .say > .icon { width: 1.5rem; height: 1.5rem; }
  .findings { grid-template-columns: 1fr; }
  .findings > div { padding: .6rem 1rem; }
  .findings > div + div { border-left: 0; border-top: 1px solid var(--line); }
  .refusals li { grid-template-columns: 2.75rem 1fr; padding: .6rem 1rem; }
  .refusals code { display: block; margin: 0; }
  .refusals .when { grid-column: 2; }
  .card { padding: .85rem 1rem .25rem; }
  .card .facts { margin-left: 0; flex-basis: 100%; }
  .moments { grid-template-columns: 1fr 1fr; }
  details { margin: 0 -1rem; padding: 0 1rem; }
  .search, .search input { width: 100%; }
}
@media (forced-colors: active) {
  .line .fresh, .line .stale { forced-color-adjust: none; }
  .mark, .icon { fill: CanvasText; }
  .line .now { stroke: CanvasText; }
}
@media print { .tools, #pause, .actions { display: none; } }
`

/**
 * The script of the page: it requests the same page again every five seconds while the page is visible, and replaces what
 * has changed. Without it the page works, too. It puts in only what the server has escaped.
 */
export const pageScript = `
'use strict';
(() => {
  const period = 5000;
  const byId = (id) => document.getElementById(id);
  const pause = byId('pause');
  const note = byId('live');
  let timer = 0;
  let paused = false;
  let loading = false;

  const schedule = (delay) => {
    clearTimeout(timer);
    if (!paused && !document.hidden) timer = setTimeout(load, delay);
  };

  const show = (text, isError) => {
    note.textContent = text;
    note.classList.toggle('live-error', isError);
  };

  const isSelecting = () => {
    const selection = getSelection();
    return selection !== null && !selection.isCollapsed;
  };

  /** Replaces the live parts; keeps open what is open and the focus where it is. */
  const replace = (next) => {
    const open = new Set([...document.querySelectorAll('details')].map((each) => (each.open ? '+' : '-') + each.id));
    const focused = document.activeElement === null ? '' : document.activeElement.id;
    for (const old of document.querySelectorAll('[data-live]')) {
      const fresh = next.getElementById(old.id);
      if (fresh === null || fresh.outerHTML === old.dataset.html) continue;
      const html = fresh.outerHTML;
      // A region that is announced keeps its element; another one is replaced whole.
      if (old.getAttribute('role') === 'status') {
        if (fresh.textContent !== old.textContent) old.replaceChildren(...fresh.childNodes);
        continue;
      }
      for (const each of fresh.querySelectorAll('details')) {
        if (open.has('+' + each.id)) each.open = true;
        if (open.has('-' + each.id)) each.open = false;
      }
      fresh.dataset.html = html;
      old.replaceWith(fresh);
    }
    byId('tone').className = next.getElementById('tone').className;
    document.title = next.title;
    byId('icon').href = next.getElementById('icon').getAttribute('href');
    if (focused && document.activeElement.id !== focused) {
      const again = byId(focused);
      if (again !== null) again.focus({ preventScroll: true });
    }
  };

  async function load() {
    if (loading) return;
    loading = true;
    try {
      const response = await fetch(location.href, { headers: { accept: 'text/html' }, cache: 'no-store' });
      if (!response.ok) throw new Error('status ' + response.status);
      const next = new DOMParser().parseFromString(await response.text(), 'text/html');
      if (next.getElementById('answer') === null) throw new Error('another page');
      if (!isSelecting()) replace(next);
      show('Live', false);
    } catch (error) {
      show('Not updated: ' + (error instanceof TypeError ? 'no connection' : error.message), true);
    }
    loading = false;
    schedule(period);
  }

  pause.hidden = false;
  show('Live', false);
  pause.addEventListener('click', () => {
    paused = !paused;
    pause.textContent = paused ? 'Resume' : 'Pause';
    show(paused ? 'Paused' : 'Live', false);
    if (paused) clearTimeout(timer);
    else load();
  });
  document.addEventListener('visibilitychange', () => (document.hidden ? clearTimeout(timer) : schedule(0)));

  document.addEventListener('submit', async (event) => {
    const form = event.target;
    if (form.method !== 'post') return;
    event.preventDefault();
    const button = form.querySelector('button');
    const result = byId('result');
    button.disabled = true;
    result.textContent = 'Fetching the keys of ' + button.dataset.name + ' …';
    try {
      const headers = { accept: 'application/json', 'content-type': 'application/json' };
      const response = await fetch(form.action, { method: 'POST', headers });
      const outcome = await response.json();
      result.textContent =
        button.dataset.name + ': ' +
        (outcome.ok ? (outcome.modified ? 'fetched, with changed keys.' : 'fetched, the keys are unchanged.')
          : outcome.error && outcome.error.message ? 'failed. ' + outcome.error.message + '.' : 'failed, status ' + response.status + '.');
    } catch {
      result.textContent = button.dataset.name + ': no connection.';
    }
    button.disabled = false;
    await load();
  });
  schedule(period);
})();
`
