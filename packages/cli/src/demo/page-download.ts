import type { Stage } from './stage.ts';

/** A download as the page in the browser saw it. */
export interface PageDownload {
  readonly bytes: number;
  readonly milliseconds: number;
  /** The longest time between two pieces of the body, in milliseconds. */
  readonly stallMs: number;
  /** SHA-256 of the body, hex. */
  readonly sha256: string;
  /** What the browser spoke with the origin: `h2`, `http/1.1`. */
  readonly protocol: string;
}

/** Runs in the page: reads a body piece by piece, watching the clock. Must not refer to anything outside. */
const pageScript = `async url => {
  const progress = (globalThis.manypathProgress = { bytes: 0 });
  const begun = performance.now();
  const response = await fetch(url, { cache: 'no-store' });
  const reader = response.body.getReader();
  const pieces = [];
  let last = performance.now();
  let stallMs = 0;
  for (;;) {
    const { done, value } = await reader.read();
    const now = performance.now();
    stallMs = Math.max(stallMs, now - last);
    last = now;
    if (done) break;
    progress.bytes += value.length;
    pieces.push(value);
  }
  const body = await new Blob(pieces).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', body));
  const entry = performance.getEntriesByName(response.url).at(-1);
  return {
    bytes: progress.bytes,
    milliseconds: last - begun,
    stallMs,
    sha256: Array.from(digest, byte => byte.toString(16).padStart(2, '0')).join(''),
    protocol: entry?.nextHopProtocol ?? '',
  };
}`;

/** Downloads a page of the origin in the browser. */
export async function downloadInPage({ evaluate }: Stage, url: string): Promise<PageDownload> {
  return (await evaluate(`(${pageScript})(${JSON.stringify(url)})`)) as PageDownload;
}

/** How far the download of the moment has come, in bytes. */
export async function downloadedSoFar({ evaluate }: Stage): Promise<number> {
  return Number(await evaluate('globalThis.manypathProgress?.bytes ?? 0'));
}
