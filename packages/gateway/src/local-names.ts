/**
 * Names that mean something on this machine or its network only, so that a relay would look them up in vain:
 * RFC 6761 (`localhost`), RFC 6762 (`local`), RFC 8375 (`home.arpa`), names without a dot.
 */
const localDomains = ['localhost', 'local', 'home.arpa'];

/** Tells names of this machine's network from those of the public DNS. */
export class LocalNames {
  readonly #patterns: readonly string[];

  /** @param patterns Names that are local besides the usual ones: a host name, or `*.domain` for all below it. */
  constructor(patterns: readonly string[] = []) {
    this.#patterns = patterns.map(plain);
  }

  /** Whether the user named it as one of theirs. */
  named(host: string): boolean {
    const name = plain(host);
    return this.#patterns.some(pattern =>
      pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : name === pattern,
    );
  }

  /** Whether only this machine can look it up. */
  includes(host: string): boolean {
    const name = plain(host);
    if (!name.includes('.')) return true;
    return localDomains.some(domain => name === domain || name.endsWith(`.${domain}`)) || this.named(name);
  }
}

function plain(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
