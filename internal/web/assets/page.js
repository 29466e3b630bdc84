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
const reveal = root => root.querySelectorAll('[data-copy][hidden], [data-with-script][hidden]').forEach(b => { b.hidden = false; });
reveal(document);
document.querySelectorAll('[data-without-script]').forEach(e => { e.hidden = true; });
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

// A form of a passkey, or a button of a form that has another way too: the API says what
// the browser is asked, and the form takes the answer along.
document.addEventListener('submit', async event => {
  const form = event.target;
  const by = event.submitter?.dataset.passkey ? event.submitter : form;
  const field = form.elements.credential;
  if (!by.dataset.passkey || field.value) return;
  event.preventDefault();
  const told = form.querySelector('[data-passkey-error]');
  told.hidden = true;
  try {
    const given = {};
    for (const [, name, control] of (by.dataset.give ?? '').matchAll(/(\w+):(\w+)/g)) {
      const value = form.elements[control]?.value;
      if (value) given[name] = value;
    }
    const answer = await fetch(by.dataset.begin, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Accept-Language': document.documentElement.lang },
      body: by.dataset.passkey === 'create' ? JSON.stringify(given) : null,
    });
    const body = await answer.json();
    if (!answer.ok) throw new Error([body.detail, body.hint].filter(Boolean).join('. '));
    const options = body.options.publicKey;
    const credential = by.dataset.passkey === 'create'
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
    field.value = JSON.stringify(credential.toJSON());
    form.elements.passkey_present?.removeAttribute('name');
    form.submit();
  } catch (error) {
    if (error.name === 'NotAllowedError') return; // the reader closed the dialog
    told.textContent = error.message;
    told.hidden = false;
  }
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
document.querySelector('#errors, body:not(:has([autofocus])) #refused')?.focus();
