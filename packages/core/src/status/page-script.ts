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
