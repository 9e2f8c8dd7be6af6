import { join } from 'node:path';
import { type FetchedNode, fetchNode, releasesIn } from './fetch-node.ts';
import { root } from './run-program.ts';
import { addReports, type RunReport, reportOf, skippedCheck } from './run-report.ts';
import { runTests } from './run-tests.ts';

/** Names the releases and pins what is fetched; npm checks it by its hash. */
const manifest = join(root, 'test', 'node-versions');
const cache = join(root, '.manypath', 'node-versions');

/** A test that goes through sockets, netlink, namespaces and the built programs. */
const labTest = 'packages/gateway/test/straight.lab.test.ts';

/** Brings a release of every major version of Node.js that Manypath supports, except the one that runs this. */
export async function fetchNodeVersions(): Promise<FetchedNode[]> {
  const [ours] = process.versions.node.split('.');
  const others = releasesIn(manifest, `${process.platform}-${process.arch}`).filter(
    ({ version }) => version.split('.')[0] !== ours,
  );
  const fetched: FetchedNode[] = [];
  for (const release of others) fetched.push(await fetchNode(release, cache));
  return fetched;
}

/**
 * Runs the unit tests and one lab test under each release. Each counts as one check.
 *
 * @param withLab Whether tests in network namespaces can run here.
 */
export async function runUnderNodeVersions(
  releases: readonly FetchedNode[],
  withLab: boolean,
): Promise<RunReport> {
  const reports: RunReport[] = [];
  for (const release of releases) {
    const name = `Node.js ${release.version}`;
    // What the registry does not bring now is no fault of this clone: it is said, and not counted as failed.
    if ('missing' in release) reports.push(skippedCheck('node', name, release.missing));
    else reports.push(await runUnder(name, release.program, withLab));
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
