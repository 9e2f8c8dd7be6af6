/**
 * npm runs this in a room before it packs it (`npm pack`): everything is built, and what the clone keeps once for all rooms
 * is laid into the room: the licence, and with the command line the pages that its messages point to.
 */
import { copyFileSync, cpSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import './bootstrap.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const room = process.cwd();

copyFileSync(join(root, 'LICENSE'), join(room, 'LICENSE'));
if (basename(room) === 'cli') {
  const docs = join(room, 'docs');
  rmSync(docs, { recursive: true, force: true });
  cpSync(join(root, 'docs'), docs, { recursive: true });
}
