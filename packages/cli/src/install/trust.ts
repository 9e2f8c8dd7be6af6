import { lstatSync, readlinkSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** As many as the kernel follows. */
const mostLinks = 40;

/**
 * What somebody else than root can change, and with it what `path` leads to: the file itself, a folder above it, or a link or
 * a folder above that on the way.
 *
 * Writing by a group counts whatever the group: an access control list shows as the group's permissions.
 *
 * @param path Absolute.
 * @param from The first folder that is looked at; those above it are taken for safe.
 * @returns The outermost such path; `undefined` when only root can change anything.
 */
export function changeableByOthers(path: string, from = '/', links = mostLinks): string | undefined {
  const parts = path.split('/').filter(part => part !== '');
  let way = '/';
  for (const [index, part] of ['', ...parts].entries()) {
    way = join(way, part);
    if (!isBelow(way, from)) continue;
    const stats = lstatSync(way, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (stats.uid !== 0) return way;
    if (stats.isSymbolicLink()) {
      const target = resolve(dirname(way), readlinkSync(way), ...parts.slice(index));
      return links === 0 ? way : changeableByOthers(target, from, links - 1);
    }
    if ((stats.mode & 0o022) !== 0) return way;
  }
  return undefined;
}

/** The outermost folder on the way to a file, or the file itself, that other users cannot enter or read. */
export function closedToOthers(file: string): string | undefined {
  const way = [file];
  for (let folder = dirname(file); dirname(folder) !== folder; folder = dirname(folder)) way.unshift(folder);
  return way.find(path => {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats !== undefined && (stats.mode & (stats.isDirectory() ? 0o001 : 0o004)) === 0;
  });
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}
