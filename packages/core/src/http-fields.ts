import { HttpHeadError } from './http-head-error.ts';

/** One header field, name as received. */
export type HeaderField = readonly [name: string, value: string];

/** What names of fields, methods and the like are made of; RFC 9110 §5.6.2. */
export const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
export const controlCharacters = /[\u0000-\u0008\u000a-\u001f\u007f]/;
const everyControl = new RegExp(controlCharacters, 'g');
// biome-ignore lint/suspicious/noControlCharactersInRegex: with these a value would be more than one line, or cut off
const lineBreakers = /[\u0000\r\n]/;

/**
 * Fields that say where a message goes, where it ends and who may send it. What two programs read differently in them can be used
 * to smuggle requests: they are never mended.
 */
const decisive = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Whether a field of this name must be written as RFC 9112 has it. */
export function isDecisive(name: string): boolean {
  return decisive.has(name.toLowerCase());
}

/**
 * Reads one line of a head strictly: a token, a colon without a blank before it, a value.
 *
 * @param controls Whether a value may hold control characters, as long as they break no line and its field is not decisive.
 * @throws HttpHeadError `MANYPATH_HTTP_HEAD_INVALID`
 */
export function parseField(line: string, { controls = false } = {}): HeaderField {
  const colon = line.indexOf(':');
  const name = line.slice(0, colon);
  if (colon === -1 || !token.test(name)) throw new HttpHeadError(400, 'a header line is malformed');
  const value = trimBlanks(line.slice(colon + 1));
  const forbidden = controls && !isDecisive(name) ? lineBreakers : controlCharacters;
  if (forbidden.test(value)) throw new HttpHeadError(400, `the value of ${name} has bytes no value has`);
  return [name, value];
}

/**
 * Reads one line of an answer's head as browsers do: blanks before the colon are removed (RFC 9112 §5.1), a line without a name
 * is left out, and control characters become blanks, since some readers take them for the end of the line, and some take none.
 */
export function readFieldTolerantly(line: string): { field: HeaderField | undefined; tidy: boolean } {
  const mended = withoutControls(line);
  const colon = mended.indexOf(':');
  const written = mended.slice(0, Math.max(0, colon));
  const name = trimBlanks(written);
  if (!token.test(name) || /^[ \t]/.test(written)) return { field: undefined, tidy: false };
  const tidy = name === written && mended === line;
  return { field: [name, trimBlanks(mended.slice(colon + 1))], tidy };
}

/** Zero bytes are dropped, and other control characters become blanks; RFC 9110 §5.5, RFC 9112 §2.2. */
export function withoutControls(text: string): string {
  return controlCharacters.test(text) ? text.replaceAll('\0', '').replace(everyControl, ' ') : text;
}

/** Whether a field can be written so that it is one field for every reader. */
export function isWritable([name, value]: HeaderField): boolean {
  return token.test(name) && !lineBreakers.test(value);
}

/** The value of the first field with this name, in any case. */
export function headerValue(headers: readonly HeaderField[], name: string): string | undefined {
  const wanted = name.toLowerCase();
  return headers.find(([field]) => field.toLowerCase() === wanted)?.[1];
}

/** The values of all fields with this name, taken as lists: elements without blanks around them, none of them empty. */
export function listedValues(headers: readonly HeaderField[], name: string): string[] {
  const wanted = name.toLowerCase();
  return headers
    .filter(([field]) => field.toLowerCase() === wanted)
    .flatMap(([, value]) => value.split(','))
    .map(trimBlanks)
    .filter(element => element !== '');
}

/** Without blanks at both ends; a regular expression would try every run of blanks within. */
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (isBlank(text[start])) start++;
  while (end > start && isBlank(text[end - 1])) end--;
  return text.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}
