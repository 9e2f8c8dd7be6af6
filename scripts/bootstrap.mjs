/**
 * Makes a clone ready to run: checks Node's version, installs the locked npm packages and builds the
 * TypeScript, each only when it is missing or stale. Plain JavaScript, because nothing is built yet.
 *
 * Says what it does on stderr, since stdout may belong to `--json`.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const minimumNode = [20, 19];
const rooms = [...readdirSync(join(root, 'packages')).map(name => join('packages', name)), 'lab', 'bench'];
const stampFolder = join(root, 'node_modules', '.manypath');
const installStamp = join(stampFolder, 'installed');
const buildStamp = join(stampFolder, 'built');
const lockFolder = join(root, '.manypath', 'bootstrap.lock');

checkNode();
if (!isInstalled() || !isBuilt()) {
  withLock(() => {
    if (!isInstalled()) install();
    if (!isBuilt()) build();
  });
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = minimumNode;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  fail(
    `Node.js ${minimumNode.join('.')} or newer is needed; this is ${process.versions.node}. ./manypath fetches one by itself.`,
  );
}

/** What the installed tree was made from: the lock file, and the Node major and platform native parts fit. */
function installKey() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const platform = `${process.platform}-${process.arch}-${process.versions.node.split('.')[0]}`;
  return createHash('sha256').update(lock).update(platform).digest('hex');
}

function isInstalled() {
  return existsSync(installStamp) && readFileSync(installStamp, 'utf8') === installKey();
}

function install() {
  say('installing npm packages (once, about a minute)');
  // No dependency needs its install script: native parts come ready inside registry packages.
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  mkdirSync(stampFolder, { recursive: true });
  writeFileSync(installStamp, installKey());
}

function isBuilt() {
  if (!existsSync(buildStamp) || !existsSync(join(root, 'packages', 'cli', 'dist', 'main.js'))) return false;
  const builtAt = statSync(buildStamp).mtimeMs;
  return sources().every(file => statSync(file).mtimeMs <= builtAt);
}

function sources() {
  const files = [join(root, 'tsconfig.base.json'), join(root, 'tsconfig.json')];
  for (const room of rooms) {
    for (const name of ['package.json', 'tsconfig.json']) {
      const file = join(root, room, name);
      if (existsSync(file)) files.push(file);
    }
    for (const folder of ['src', 'pages', 'scripts']) files.push(...filesIn(join(root, room, folder)));
  }
  return files;
}

function filesIn(folder) {
  const files = [];
  if (existsSync(folder)) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      // Folders count too, so that a removed file is noticed.
      files.push(join(entry.parentPath, entry.name));
    }
  }
  return files;
}

function build() {
  say('building');
  const startedAt = new Date();
  run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b']);
  run(process.execPath, [join(root, 'packages', 'page', 'scripts', 'build.mjs')]);
  run(process.execPath, [join(root, 'packages', 'extension', 'scripts', 'build.mjs')]);
  mkdirSync(stampFolder, { recursive: true });
  writeFileSync(buildStamp, '');
  // A source edited while the compiler ran is newer than this, and makes the next run build again.
  utimesSync(buildStamp, startedAt, startedAt);
}

/** Two commands started together must not install into the same tree at once: the second waits for the first. */
function withLock(action) {
  checkWritable();
  let announced = false;
  while (!tryLock()) {
    if (!announced) say('waiting for another manypath that is installing or building');
    announced = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  // On exit rather than in a `finally`: a failure below ends the process.
  process.once('exit', () => rmSync(lockFolder, { recursive: true, force: true }));
  action();
}

/** A clone of somebody else can be used once it is built, but not built. */
function checkWritable() {
  try {
    mkdirSync(dirname(lockFolder), { recursive: true });
    for (const folder of [root, dirname(lockFolder)]) accessSync(folder, constants.W_OK);
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(error.code)) throw error;
    say(`${root} is not built, or not as it is now, and you cannot write to it.`);
    fail('  try: have its owner run ./manypath --version there, or make a clone of your own');
  }
}

function tryLock() {
  try {
    mkdirSync(lockFolder);
    writeFileSync(join(lockFolder, 'pid'), String(process.pid));
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    if (lockIsDead()) rmSync(lockFolder, { recursive: true, force: true });
    return false;
  }
}

function lockIsDead() {
  try {
    process.kill(Number(readFileSync(join(lockFolder, 'pid'), 'utf8')), 0);
    return false;
  } catch (error) {
    if (error.code === 'EPERM') return false;
    // The owner may be between making the folder and writing its pid: only an old folder without one is dead.
    if (error.code === 'ENOENT')
      return existsSync(lockFolder) && Date.now() - statSync(lockFolder).mtimeMs > 5000;
    return true;
  }
}

function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.error) fail(`could not run ${command}: ${result.error.message}`);
  if (result.status !== 0) fail(`${command} failed (${result.signal ?? `exit code ${result.status}`}).`);
}

function say(text) {
  process.stderr.write(`manypath: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(69);
}
