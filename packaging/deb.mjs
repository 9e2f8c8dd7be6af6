/** The package for Debian and its relatives. */
import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  copyProgram,
  helperService,
  helperServiceName,
  helperSocket,
  helperSocketName,
  helperStateDir,
  relayUnitName,
  serviceUnit,
  unitName,
} from '../packages/cli/dist/install/index.js';
import { inTemporaryFolder, root, run, version } from './places.mjs';
import { fetchKoffi, fetchNode } from './registry.mjs';

/** Names of kinds of machines: Node's, and Debian's. */
const architectures = { x64: 'amd64', arm64: 'arm64' };

const program = 'usr/lib/manypath';

/** Where shells look for what completes a command; the script for zsh is made for a user's own file. */
const completions = {
  bash: 'usr/share/bash-completion/completions/manypath',
  fish: 'usr/share/fish/vendor_completions.d/manypath.fish',
};

/**
 * Builds the package. Debian 12 has a Node that is too old, so the package has one of its own.
 *
 * @param compression Of dpkg-deb: `xz`, `zstd`, `gzip` or `none`.
 * @param node Another Node to put into it. Default: the release that is pinned, from npm's registry.
 * @returns Its path.
 */
export function buildDeb(target, { arch, compression = 'xz', node }) {
  const architecture = architectures[arch];
  if (architecture === undefined)
    throw new Error(`there is no package for ${arch}, only for ${Object.keys(architectures)}`);
  return inTemporaryFolder(async temporary => {
    const folder = join(temporary, 'root');
    const write = writerInto(folder);
    await addProgram(folder, { arch, node });
    addUnits(write);
    addDocuments(folder, write);
    write('DEBIAN/control', control(architecture, run(['du', '-sk', join(folder, 'usr')]).split(/\s/)[0]));
    write('DEBIAN/postinst', postinst, 0o755);
    write('DEBIAN/prerm', prerm, 0o755);
    run(['chmod', '-R', 'u=rwX,go=rX', folder]);
    const file = join(target, `manypath_${version}_${architecture}.deb`);
    run(['dpkg-deb', '--root-owner-group', `-Z${compression}`, '--build', folder, file]);
    return file;
  });
}

function writerInto(folder) {
  return (path, text, mode = 0o644) => {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    chmodSync(file, mode);
  };
}

async function addProgram(folder, { arch, node = undefined }) {
  const bundled = node ?? join(await fetchNode(arch), 'bin', 'node');
  mkdirSync(join(folder, dirname(program)), { recursive: true });
  copyProgram(join(folder, program), { node: bundled });
  const native = join(folder, program, 'node_modules', '@koromix');
  rmSync(native, { recursive: true, force: true });
  mkdirSync(native);
  run(['cp', '-r', await fetchKoffi(arch), join(native, `koffi-linux-${arch}`)]);
  mkdirSync(join(folder, 'usr/bin'), { recursive: true });
  symlinkSync('../lib/manypath/bin/manypath', join(folder, 'usr/bin/manypath'));
}

/** They are not switched on: a user starts the daemon, and `manypath install --helper` says whom the helper serves. */
function addUnits(write) {
  const start = [`/${program}/bin/node`, `/${program}/dist/main.js`];
  const helper = helperService({ command: [...start, 'helper', '--state', helperStateDir], version });
  write(`usr/lib/systemd/user/${unitName}`, serviceUnit({ command: [...start, 'up'], version }));
  write(`usr/lib/systemd/system/${helperServiceName}`, helper);
  write(`usr/lib/systemd/system/${helperSocketName}`, helperSocket({ version }));
}

function addDocuments(folder, write) {
  const place = 'usr/share/doc/manypath';
  mkdirSync(join(folder, place), { recursive: true });
  for (const name of ['README.md', 'CHANGELOG.md']) copyFileSync(join(root, name), join(folder, place, name));
  copyFileSync(join(root, 'LICENSE'), join(folder, place, 'copyright'));
  symlinkSync('../../../lib/manypath/docs', join(folder, place, 'docs'));
  write('usr/share/man/man1/manypath.1', printed('completion', 'man'));
  for (const [shell, file] of Object.entries(completions)) write(file, printed('completion', shell));
}

/** What the command line prints. */
function printed(...parameters) {
  return `${run([process.execPath, join(root, 'packages/cli/dist/main.js'), ...parameters])}\n`;
}

function control(architecture, kilobytes) {
  return `Package: manypath
Version: ${version}
Architecture: ${architecture}
Maintainer: The Manypath authors <manypath@manypath.invalid>
Installed-Size: ${kilobytes}
Depends: libc6 (>= 2.28), libstdc++6 (>= 9), iproute2, nftables, util-linux
Recommends: chromium | google-chrome-stable | microsoft-edge-stable | brave-browser, sudo
Section: net
Priority: optional
Description: Multipath TCP for the browser you already have
 A laptop's Wi-Fi and 5G carry one download together, and when either dies the
 download goes on. A local gateway dials with Multipath TCP (RFC 8684), and a
 relay on a server of yours speaks it for sites that do not.
 .
 This package has a Node.js of its own. Start with: manypath demo
`;
}

/** A new version takes over from one that runs. */
const postinst = `#!/bin/sh
set -e
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload || true
  [ -z "$2" ] || systemctl try-restart ${helperServiceName} ${relayUnitName} || true
fi
`;

/** What \`manypath install\` wrote for the whole machine refers to the program, and goes with it. */
const prerm = `#!/bin/sh
set -e
if [ "$1" = remove ]; then
  for what in 'relay uninstall' 'uninstall --helper' 'uninstall --system'; do
    /usr/bin/manypath $what >/dev/null || true
  done
fi
`;
