const codes = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

/** Whether what is written there is seen in colour: a terminal that can, and nobody asked for none (no-color.org). */
export function hasColour(
  stream: { readonly isTTY?: boolean } = process.stdout,
  environment: NodeJS.ProcessEnv = process.env,
): boolean {
  const { NO_COLOR: none = '', FORCE_COLOR: forced = '', TERM: terminal } = environment;
  if (none !== '') return false;
  if (forced !== '' && forced !== '0') return true;
  return stream.isTTY === true && terminal !== 'dumb';
}

/** A text in colour, where `stream` shows colours; as it is elsewhere. */
export function paint(
  colour: keyof typeof codes,
  text: string,
  stream?: { readonly isTTY?: boolean },
): string {
  return hasColour(stream) ? `\x1b[${codes[colour]}m${text}\x1b[0m` : text;
}
