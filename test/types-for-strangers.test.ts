import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from './support/manypath.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

// npm packs, and the compiler reads every type of every library.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** A program and a page of somebody who knows nothing of this clone; the lines marked as wrong have to be wrong. */
const program = `
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, info } from '@manypath/mptcp';

const server = await createServer({ host: '127.0.0.1', port: 0 }, socket => socket.pipe(socket));
const socket = await connect({ host: 'localhost', port: 80, signal: AbortSignal.timeout(5000) });
const multipath: boolean = info(socket).multipath;
socket.write(\`\${multipath}\`);
server.close();
createHttpServer().listen();
// @ts-expect-error: a port is a number
await connect({ host: 'localhost', port: 'http' });
// @ts-expect-error: there is no such thing
info(socket).nonsense;
`;
const page = `
import { connectNative, requestAccess, TCPSocket } from '@manypath/page';

await requestAccess([{ host: 'example.org', port: 7 }]);
const { readable, writable } = await new TCPSocket('example.org', 7).opened;
await writable.getWriter().write(new Uint8Array(1));
const { value } = await readable.getReader().read();
const length: number | undefined = value?.byteLength;
console.log(length, connectNative);
// @ts-expect-error: a port is a number
new TCPSocket('example.org', '7');
`;

const resolutions = [
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
] as const;

const project = temporaryFolder();
afterAll(() => project[Symbol.dispose]());

beforeAll(() => {
  const modules = join(project.path, 'node_modules');
  mkdirSync(modules);
  for (const room of ['core', 'mptcp', 'page']) install(join(root, 'packages', room), modules);
  // What npm would fetch for them, and what everybody has.
  for (const name of ['koffi', 'valibot', '@types/node', 'undici-types']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  writeFileSync(join(project.path, 'package.json'), '{"type":"module"}');
  writeFileSync(join(project.path, 'program.ts'), program);
  writeFileSync(join(project.path, 'page.ts'), page);
});

/** Packs a room as it is published, and lays it into another project. */
function install(room: string, modules: string): void {
  const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', project.path];
  const file = join(project.path, execFileSync('npm', pack, { cwd: room, encoding: 'utf8' }).trim());
  const folder = join(modules, '@manypath', room.slice(room.lastIndexOf('/') + 1));
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xzf', file, '-C', folder, '--strip-components=1']);
}

describe('types in the project of a stranger, strict and without skipLibCheck', () => {
  for (const resolution of resolutions) {
    for (const [file, lib, types] of [
      ['program.ts', ['ES2023'], ['node']],
      ['page.ts', ['ES2023', 'DOM', 'DOM.AsyncIterable'], []],
    ] as const) {
      it(`${file} compiles with ${resolution.moduleResolution}`, () => {
        const compilerOptions = {
          ...resolution,
          target: 'ES2023',
          lib,
          types,
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          skipLibCheck: false,
          noEmit: true,
        };
        const configuration = join(project.path, 'tsconfig.json');
        writeFileSync(configuration, JSON.stringify({ compilerOptions, files: [file] }));
        const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
        const { stdout, status } = spawnSync(process.execPath, [compiler, '-p', configuration], {
          encoding: 'utf8',
        });
        expect({ stdout, status }).toEqual({ stdout: '', status: 0 });
      });
    }
  }
});
