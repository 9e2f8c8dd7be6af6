import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { BrowserLog } from '../../src/browser/browser-log.ts';

/** What comes of what a browser writes, however it is cut. */
async function read(text: string, pieces: number) {
  const errors = new PassThrough();
  const debug: string[] = [];
  const urls: string[] = [];
  const log = new BrowserLog(errors, {
    logger: { debug: (_, message) => void debug.push(message) },
    isAskedFor: false,
    onDebugging: url => void urls.push(url.href),
  });
  const bytes = Buffer.from(text);
  const size = Math.ceil(bytes.length / pieces);
  for (let offset = 0; offset < bytes.length; offset += size)
    errors.write(bytes.subarray(offset, offset + size));
  errors.end();
  await log.settled();
  return { debug, urls, lastWords: log.lastWords };
}

const dbus = '[12:34:1126/221217.1:ERROR:dbus/bus.cc:405] Failed to connect to the bus: Could not parse';
const display =
  '[12:12:1126/221217.2:ERROR:ui/ozone/platform/x11/ozone_platform_x11.cc:256] Missing X server';

describe('what a browser writes to its standard error', () => {
  it.each([1, 3, 200])(
    'goes to the log, and what may tell of a failure is kept, in %d pieces',
    async pieces => {
      const { debug, lastWords } = await read(`${dbus}\n${display}\nÄ fault\n${dbus}`, pieces);
      expect(debug).toEqual([dbus, display, 'Ä fault', dbus].map(line => `browser: ${line}`));
      expect(lastWords).toEqual([display, 'Ä fault']);
    },
  );

  it('is kept as far as a few lines, and lines without end are cut', async () => {
    const { debug, lastWords } = await read(`${'x'.repeat(100_000)}\n${'line\n'.repeat(100)}`, 7);
    expect(debug[0]?.length).toBeLessThan(5000);
    expect(lastWords).toHaveLength(8);
  });
});
