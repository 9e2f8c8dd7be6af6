import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, runProgram } from './run-program.ts';
import { addReports, type RunReport, reportOf, skippedCheck } from './run-report.ts';
import { runTests } from './run-tests.ts';

/** A release of Node.js that Manypath is to run on. */
interface NodeRelease {
  readonly version: string;
  /** Its binary, once fetched. */
  readonly program: string;
}

/** Names the releases and pins what is fetched; npm checks it by its hash. */
const manifest = join(root, 'test', 'node-versions');
const cache = join(root, '.manypath', 'node-versions');

/** A test that goes through sockets, netlink, namespaces and the built programs. */
const labTest = 'packages/gateway/test/straight.lab.test.ts';

/**
 * Runs the unit tests and one lab test under every major version of Node.js that Manypath supports, except the one that runs
 * this. Each version counts as one check.
 *
 * @param withLab Whether tests in network namespaces can run here.
 */
export async function runUnderNodeVersions(withLab: boolean): Promise<RunReport> {
  const releases = otherReleases();
  const missing = await fetchReleases(releases);
  const reports: RunReport[] = [];
  for (const { version, program } of releases) {
    const name = `Node.js ${version}`;
    if (!existsSync(program))
      // What the registry does not bring now is no fault of this clone: it is said, and not counted as failed.
      reports.push(skippedCheck('node', name, missing ?? 'npm did not bring it'));
    else reports.push(await runUnder(name, program, withLab));
  }
  return addReports(reports);
}

async function runUnder(name: string, node: string, withLab: boolean): Promise<RunReport> {
  process.stdout.write(`\nunit tests under ${name}\n`);
  const reports = [await runTests({ node, projects: ['unit'] })];
  if (withLab) reports.push(await runTests({ node, projects: ['lab'], filters: [labTest] }));
  const { passed, failed, retried } = addReports(reports);
  process.stdout.write(`${failed === 0 ? 'ok' : 'FAILED'}: ${name}: ${passed} passed, ${failed} failed\n`);
  return { ...reportOf(failed === 0), retried: retried.map(test => `${name}: ${test}`) };
}

function otherReleases(): NodeRelease[] {
  const { optionalDependencies } = JSON.parse(readFileSync(join(manifest, 'package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  const [ours] = process.versions.node.split('.');
  return Object.entries(optionalDependencies)
    .filter(([name]) => name.endsWith(`-${process.platform}-${process.arch}`))
    .map(([name, source]) => ({
      version: source.slice(source.lastIndexOf('@') + 1),
      program: join(cache, 'node_modules', name, 'bin', 'node'),
    }))
    .filter(({ version }) => version.split('.')[0] !== ours);
}

/** Fetches what is not there yet. @returns Why that was not possible. */
async function fetchReleases(releases: readonly NodeRelease[]): Promise<string | undefined> {
  const lock = 'package-lock.json';
  const wanted = readFileSync(join(manifest, lock), 'utf8');
  const kept = join(cache, 'node_modules', '.fetched');
  const isThere = existsSync(kept) && readFileSync(kept, 'utf8') === wanted;
  if (isThere && releases.every(({ program }) => existsSync(program))) return undefined;
  process.stdout.write('fetching other versions of Node.js (once, about 200 MB)\n');
  mkdirSync(cache, { recursive: true });
  for (const name of ['package.json', lock]) copyFileSync(join(manifest, name), join(cache, name));
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  if ((await runProgram(['npm', 'ci', '--prefix', cache, ...quiet])) !== 0) return 'npm could not fetch it';
  copyFileSync(join(cache, lock), kept);
  return undefined;
}
