// JSON as text. Values are never read into JavaScript's numbers on their way to being saved: 12345678901234567890 and
// 1.10 stay as they are written. The functions take text that is valid JSON.

// {kind, text} of each token; kind is one of punctuation, key, string, number, word. Blanks are left out.
function* tokens(text) {
  const pattern = /[{}[\],:]|"[^"\\]*(?:\\.[^"\\]*)*"|[^\s{}[\],:"]+/gy;
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at])) {
      ++at;
      continue;
    }
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) throw new SyntaxError(`not JSON at ${at}`);
    const token = found[0];
    at = pattern.lastIndex;
    if (token.length === 1 && '{}[],:'.includes(token)) yield {kind: 'punctuation', text: token};
    else if (token[0] === '"') yield {kind: /^\s*:/.test(text.slice(at, at + 64)) ? 'key' : 'string', text: token};
    else yield {kind: /^[-0-9]/.test(token) ? 'number' : 'word', text: token};
  }
}

// The pieces of an indented form: tokens, and blanks of kind 'blank'.
export function* indented(text) {
  let depth = 0;
  let opened = false; // the last token opened a bracket
  const newline = () => ({kind: 'blank', text: '\n' + '  '.repeat(depth)});
  for (const token of tokens(text)) {
    const closes = token.text === '}' || token.text === ']';
    if (token.kind === 'punctuation' && closes) {
      --depth;
      if (!opened) yield newline();
    } else if (opened) {
      yield newline();
    }
    opened = false;
    yield token;
    if (token.kind !== 'punctuation') continue;
    if (token.text === '{' || token.text === '[') {
      ++depth;
      opened = true;
    } else if (token.text === ',') {
      yield newline();
    } else if (token.text === ':') {
      yield {kind: 'blank', text: ' '};
    }
  }
}

export function pretty(text) {
  let out = '';
  for (const piece of indented(text)) out += piece.text;
  return out;
}

export function compact(text) {
  let out = '';
  for (const token of tokens(text)) out += token.text;
  return out;
}

// What is wrong with it; null when it is JSON.
export function jsonError(text) {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return error.message;
  }
}

export function isJsonType(contentType) {
  const type = contentType.split(';')[0].trim().toLowerCase();
  return type === 'application/json' || type.endsWith('+json');
}
