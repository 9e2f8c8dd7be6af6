/**
 * Builds what people install into `release/`, by one command: `npm run pack`.
 *
 * - `manypath-VERSION.tgz`: the command line with everything that it needs inside, for `npm install -g`
 * - `manypath-core-…`, `manypath-mptcp-…`, `manypath-page-…`: the libraries, for programs and pages of others
 * - `manypath_VERSION_ARCH.deb`: the same command line for Debian and its relatives, with a Node of its own
 *
 * `--no-deb` leaves the package for Debian out; `--arch arm64` builds it for another kind of machine.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import '../scripts/bootstrap.mjs';
import { buildDeb } from './deb.mjs';
import { root } from './places.mjs';
import { packCommandLine, packLibraries } from './tarballs.mjs';

const { values } = parseArgs({
  options: {
    deb: { type: 'boolean', default: true },
    arch: { type: 'string', default: process.arch },
    to: { type: 'string', default: join(root, 'release') },
  },
  allowNegative: true,
});

rmSync(values.to, { recursive: true, force: true });
mkdirSync(values.to, { recursive: true });
const files = [await packCommandLine(values.to), ...packLibraries(values.to)];
if (values.deb) files.push(await buildDeb(values.to, { arch: values.arch }));
for (const file of files) process.stdout.write(`${file}\n`);
