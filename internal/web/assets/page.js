// What the page does beyond HTML. It works without this file.
'use strict';

// htmx parses what this server sends, and nothing else may make HTML of text
// (Content-Security-Policy: require-trusted-types-for 'script').
htmx.registerExtension('postino', {
  init(api) {
    api.initSecurity({
      createHTML: text => policy ? policy.createHTML(text) : text,
      createScript: () => { throw new TypeError('no script comes from the server'); },
    });
  },
});
const policy = window.trustedTypes?.createPolicy('postino', { createHTML: text => text });

// Times are written in the reader's zone from the next page on.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes('postino_zone=' + encodeURIComponent(zone))) {
  document.cookie = 'postino_zone=' + encodeURIComponent(zone) + '; path=/; max-age=31536000; samesite=lax';
}

// Buttons that need this file are hidden without it.
const reveal = root => root.querySelectorAll('[data-copy][hidden]').forEach(b => { b.hidden = false; });
reveal(document);
document.addEventListener('htmx:after:swap', () => reveal(document));

document.addEventListener('click', async event => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  const from = document.getElementById(button.dataset.copy);
  const value = from.value ?? from.textContent;
  try {
    await navigator.clipboard.writeText(value);
  } catch { // not over plain HTTP
    if (from.select) from.select(); else getSelection().selectAllChildren(from);
    document.execCommand('copy');
  }
  const word = button.querySelector('span');
  const before = word.textContent;
  word.textContent = button.dataset.copied;
  button.setAttribute('aria-live', 'polite');
  setTimeout(() => { word.textContent = before; }, 2000);
});

// Keys: / goes to the search box, j and k along the rows of a list, ? to the help.
document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, textarea, select, [contenteditable]')) return;
  switch (event.key) {
    case '/': {
      const box = document.querySelector('input[type=search]');
      if (!box) return;
      event.preventDefault();
      box.focus();
      box.select();
      break;
    }
    case 'j':
    case 'k': {
      const rows = [...document.querySelectorAll('main tbody a, main .rows a')].filter((a, i, all) => a.closest('tr, li') !== all[i - 1]?.closest('tr, li'));
      if (!rows.length) return;
      const at = rows.findIndex(a => a.closest('tr, li').contains(document.activeElement));
      rows[event.key === 'j' ? Math.min(at + 1, rows.length - 1) : Math.max(at - 1, 0)].focus();
      break;
    }
    case '?':
      location.assign('/help#keys');
  }
});

// What was refused is read first.
document.getElementById('errors')?.focus();
