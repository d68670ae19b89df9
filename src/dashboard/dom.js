// Elements without markup: whatever comes from a server ends up as text, never as HTML.

// h('a', {href: '#', onclick: f, class: 'x'}, 'text', child, ...)
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);

// Says something once, for eyes and for screen readers.
let noticeTimer = 0;
export function notice(text) {
  const element = byId('notice');
  element.textContent = text;
  element.classList.add('shown');
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => element.classList.remove('shown'), 6000);
}

// Asks in a dialog; resolves to whether the answer was yes.
export function confirmed({title, text, yes}) {
  const dialog = byId('confirm-dialog');
  byId('confirm-title').textContent = title;
  byId('confirm-text').textContent = text;
  byId('confirm-yes').textContent = yes;
  return new Promise((resolve) => {
    const ended = new AbortController();
    const answer = (value) => {
      ended.abort();
      if (dialog.open) dialog.close();
      resolve(value);
    };
    const {signal} = ended;
    dialog.querySelector('form').addEventListener(
      'submit',
      (event) => {
        event.preventDefault();
        answer(true);
      },
      {signal},
    );
    byId('confirm-no').addEventListener('click', () => answer(false), {signal});
    dialog.addEventListener('close', () => answer(false), {signal});
    dialog.showModal();
  });
}

// Puts new content in, with the focus on the link that had it.
export function replaceContent(container, ...children) {
  const focused = container.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
  container.replaceChildren(...children);
  if (focused !== null)
    [...container.querySelectorAll('a')].find((link) => link.getAttribute('href') === focused)?.focus();
}

// A box that says what went wrong, with buttons.
export function problemBox(title, text, ...actions) {
  return h(
    'div',
    {class: 'problem', role: 'alert'},
    h('strong', {}, title),
    h('p', {}, text),
    actions.length > 0 && h('div', {class: 'actions'}, ...actions),
  );
}

export function button(label, onclick, kind = '') {
  return h('button', {type: 'button', class: kind, onclick}, label);
}

export function bytesText(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  const units = ['KiB', 'MiB', 'GiB'];
  let size = bytes / 1024;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    ++unit;
  }
  return `${size.toFixed(size < 10 ? 1 : 0)} ${units[unit]}`;
}

export function durationText(seconds) {
  const whole = Math.floor(seconds);
  const parts = [
    [86400, 'd'],
    [3600, 'h'],
    [60, 'm'],
    [1, 's'],
  ];
  let rest = whole;
  const out = [];
  for (const [size, unit] of parts) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0 || (out.length === 0 && unit === 's')) out.push(`${count}${unit}`);
    if (out.length === 2) break;
  }
  return out.join(' ');
}
